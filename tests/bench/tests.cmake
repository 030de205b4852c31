# Models of the benchmarks that are plain arithmetic.
find_package(Python3 COMPONENTS Interpreter)
if(Python3_FOUND)
  add_test(NAME bench.scaling_model COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_LIST_DIR}/scaling_model_test.py)
  set_tests_properties(bench.scaling_model PROPERTIES LABELS unit)
endif()

# Models and tables of the benchmarks that are plain arithmetic.
find_package(Python3 COMPONENTS Interpreter)
if(Python3_FOUND)
  foreach(case scaling_model scaling_page)
    add_test(NAME bench.${case} COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_LIST_DIR}/${case}_test.py)
    set_tests_properties(bench.${case} PROPERTIES LABELS unit)
  endforeach()
endif()

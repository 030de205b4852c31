# Documents name tests, scripts, presets and options that are there.
find_package(Python3 COMPONENTS Interpreter)
if(Python3_FOUND)
  add_test(NAME docs.names COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_LIST_DIR}/names_test.py)
  set_tests_properties(docs.names PROPERTIES LABELS unit)
endif()

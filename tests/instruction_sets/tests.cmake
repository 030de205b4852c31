# What the objects of the library hold: see symbols_test.py.
find_package(Python3 COMPONENTS Interpreter)
if(Python3_FOUND AND TARGET sojourn AND SOJOURN_WIDE_SETS AND CMAKE_NM AND CMAKE_OBJDUMP)
  add_test(NAME instruction_sets.symbols
           COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_CURRENT_LIST_DIR}/symbols_test.py $<TARGET_FILE:sojourn> ${CMAKE_NM}
                   ${CMAKE_OBJDUMP} ${SOJOURN_WIDE_SETS})
  set_tests_properties(instruction_sets.symbols PROPERTIES LABELS unit TIMEOUT 300)
endif()

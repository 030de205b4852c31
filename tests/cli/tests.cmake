# End-to-end tests of the built program: each file below is one CTest case, run by the standard library's unittest.
find_package(Python3 COMPONENTS Interpreter)
if(Python3_FOUND AND TARGET sojourn_program)
  file(GLOB cli_scripts CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*_test.py)
  foreach(cli_script ${cli_scripts})
    get_filename_component(cli_case ${cli_script} NAME_WE)
    add_test(NAME program.${cli_case} COMMAND ${Python3_EXECUTABLE} -B -m unittest -v ${cli_case}
             WORKING_DIRECTORY ${CMAKE_CURRENT_LIST_DIR})
    set_tests_properties(program.${cli_case} PROPERTIES TIMEOUT 600 LABELS unit
                         ENVIRONMENT "SOJOURN_PROGRAM=$<TARGET_FILE:sojourn_program>;SOJOURN_MPIEXEC=${MPIEXEC_EXECUTABLE}")
  endforeach()
else()
  message(STATUS "End-to-end tests of the command line are left out: no Python 3 interpreter found")
endif()

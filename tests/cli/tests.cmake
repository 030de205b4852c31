# End-to-end tests of the built program: each file below is one CTest case, run by the standard library's unittest.
find_package(Python3 COMPONENTS Interpreter)
if(Python3_FOUND AND TARGET sojourn_program)
  # A program that takes itself for another version, for a rank that was started with the wrong one.
  # And one without MPI, for a launcher that starts it all the same.
  set(other_version)
  set(without_mpi)
  if(TARGET sojourn_mpi)
    add_executable(sojourn_other_version ${PROJECT_SOURCE_DIR}/src/host/cli/main.cpp
                   ${PROJECT_SOURCE_DIR}/src/host/result/info.cpp)
    target_compile_definitions(sojourn_other_version PRIVATE SOJOURN_HAVE_MPI SOJOURN_VERSION="0.0.0"
                               SOJOURN_BUILD_TYPE="$<CONFIG>")
    target_link_libraries(sojourn_other_version PRIVATE sojourn sojourn_settings sojourn_mpi)
    set(other_version $<TARGET_FILE:sojourn_other_version>)
    add_executable(sojourn_without_mpi ${PROJECT_SOURCE_DIR}/src/host/cli/main.cpp)
    target_link_libraries(sojourn_without_mpi PRIVATE sojourn sojourn_settings)
    set(without_mpi $<TARGET_FILE:sojourn_without_mpi>)
  endif()
  file(GLOB cli_scripts CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*_test.py)
  foreach(cli_script ${cli_scripts})
    get_filename_component(cli_case ${cli_script} NAME_WE)
    add_test(NAME program.${cli_case} COMMAND ${Python3_EXECUTABLE} -B -m unittest -v ${cli_case}
             WORKING_DIRECTORY ${CMAKE_CURRENT_LIST_DIR})
    set_tests_properties(program.${cli_case} PROPERTIES TIMEOUT 600 LABELS unit
                         ENVIRONMENT "SOJOURN_PROGRAM=$<TARGET_FILE:sojourn_program>;SOJOURN_MPIEXEC=${MPIEXEC_EXECUTABLE};SOJOURN_OTHER_VERSION=${other_version};SOJOURN_WITHOUT_MPI=${without_mpi}")
  endforeach()
  # Ranks that are stopped and told to go on have seconds for it, and come late beside ranks of other tests, which wait
  # busily.
  set_tests_properties(program.resume_on_ranks_test PROPERTIES RUN_SERIAL TRUE)
else()
  message(STATUS "End-to-end tests of the command line are left out: no Python 3 interpreter found")
endif()

# What only ranks started by a launcher show. Root in a container, more ranks than cores: Open MPI 4 and 5 want to be
# told; MPICH ignores these.
set(mpi_environment OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
    PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe)

# Communicators over the MPI of `library`, against MPI's own calls: tests `prefix`.communicator_N for each N of ARGN.
function(sojourn_add_communicator_tests target library prefix launcher)
  add_executable(${target} ${PROJECT_SOURCE_DIR}/tests/mpi/mpi_communicator_test.cpp)
  get_property(rooms_up_to_sampler GLOBAL PROPERTY SOJOURN_ROOMS_UP_TO_sampler)
  foreach(room ${rooms_up_to_sampler})
    get_property(objects GLOBAL PROPERTY SOJOURN_OBJECTS_OF_${room})
    target_sources(${target} PRIVATE ${objects})
  endforeach()
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/tests ${PROJECT_SOURCE_DIR}/tests/host/comm)
  target_link_libraries(${target} PRIVATE sojourn_device_comm ${library} GTest::gmock GTest::gtest)
  foreach(num_ranks ${ARGN})
    add_test(NAME ${prefix}.communicator_${num_ranks}
             COMMAND ${launcher} ${MPIEXEC_NUMPROC_FLAG} ${num_ranks} ${MPIEXEC_PREFLAGS} $<TARGET_FILE:${target}>
                     ${MPIEXEC_POSTFLAGS})
    set_tests_properties(${prefix}.communicator_${num_ranks} PROPERTIES LABELS unit TIMEOUT 300 PROCESSORS 2
                         ENVIRONMENT "${mpi_environment}")
  endforeach()
endfunction()

if(TARGET sojourn_mpi AND MPIEXEC_EXECUTABLE)
  sojourn_add_communicator_tests(test_mpi sojourn_mpi mpi ${MPIEXEC_EXECUTABLE} 1 2 3 4 7)

  # Whole rooms, each by two processes of one launcher at once: nothing may depend on being alone on the machine or on
  # the launcher's variables. One thread a process, as there may be no cores for more. `scripts/test-ranks` does it for
  # other numbers of processes.
  foreach(room model graph elimination comm evaluation posterior sampler result cli device device_comm)
    if(TARGET test_${room})
      add_test(NAME ranks2.${room} COMMAND ${MPIEXEC_EXECUTABLE} ${MPIEXEC_NUMPROC_FLAG} 2 ${MPIEXEC_PREFLAGS}
                                           $<TARGET_FILE:test_${room}> --gtest_brief=1)
      set_tests_properties(ranks2.${room} PROPERTIES LABELS "unit;mpi2" TIMEOUT 600 PROCESSORS 2
                           ENVIRONMENT "${mpi_environment};SOJOURN_DISABLE_CACHE=1;OMP_NUM_THREADS=1")
    endif()
  endforeach()
endif()

# The same communicator and program over Debian's MPICH, where it stands beside another MPI.
find_program(SOJOURN_MPICH_LAUNCHER mpiexec.mpich DOC "Launcher of a second MPI, for tests")
pkg_check_modules(MPICH QUIET IMPORTED_TARGET mpich)
if(TARGET sojourn_mpi AND MPICH_FOUND AND SOJOURN_MPICH_LAUNCHER AND NOT MPI_CXX_LIBRARIES MATCHES mpich)
  get_target_property(mpi_sources sojourn_mpi SOURCES)
  list(TRANSFORM mpi_sources PREPEND ${PROJECT_SOURCE_DIR}/src/)
  add_library(sojourn_mpich STATIC ${mpi_sources})
  target_link_libraries(sojourn_mpich PUBLIC sojourn_settings PkgConfig::MPICH)
  get_target_property(mpi_interface_sources sojourn_mpi INTERFACE_SOURCES)
  if(mpi_interface_sources)
    target_sources(sojourn_mpich INTERFACE ${mpi_interface_sources})
  endif()
  sojourn_add_communicator_tests(test_mpich sojourn_mpich mpich ${SOJOURN_MPICH_LAUNCHER} 2 3)
  set(mpich_cases particles_are_those_of_one_process an_error_of_one_rank_ends_all a_rank_that_is_killed_ends_all)
  if(TARGET sojourn_program AND Python3_FOUND)
    add_executable(sojourn_program_mpich ${PROJECT_SOURCE_DIR}/src/host/cli/main.cpp)
    target_compile_definitions(sojourn_program_mpich PRIVATE SOJOURN_HAVE_MPI)
    target_link_libraries(sojourn_program_mpich PRIVATE sojourn sojourn_settings sojourn_mpich)
    # A few of the tests that the other MPI passes whole.
    list(TRANSFORM mpich_cases PREPEND ranks_test.Ranks.test_)
    list(APPEND mpich_cases
         resume_on_ranks_test.ResumeOnRanks.test_a_rank_that_stops_ends_all_with_one_message_and_nothing_is_lost)
    add_test(NAME mpich.program COMMAND ${Python3_EXECUTABLE} -B -m unittest -v ${mpich_cases}
             WORKING_DIRECTORY ${PROJECT_SOURCE_DIR}/tests/cli)
    set_tests_properties(mpich.program PROPERTIES TIMEOUT 600 LABELS unit PROCESSORS 2
                         ENVIRONMENT "SOJOURN_PROGRAM=$<TARGET_FILE:sojourn_program_mpich>;SOJOURN_MPIEXEC=${SOJOURN_MPICH_LAUNCHER};SOJOURN_RANK_COUNTS=2 3")
  endif()
endif()

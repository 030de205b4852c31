# Communicators over MPI, against MPI's own calls, for several numbers of ranks on this machine.
if(TARGET sojourn_mpi AND MPIEXEC_EXECUTABLE)
  add_executable(test_mpi ${CMAKE_CURRENT_LIST_DIR}/mpi_communicator_test.cpp)
  get_property(rooms_up_to_sampler GLOBAL PROPERTY SOJOURN_ROOMS_UP_TO_sampler)
  foreach(room ${rooms_up_to_sampler})
    get_property(objects GLOBAL PROPERTY SOJOURN_OBJECTS_OF_${room})
    target_sources(test_mpi PRIVATE ${objects})
  endforeach()
  target_include_directories(test_mpi PRIVATE ${PROJECT_SOURCE_DIR}/tests ${PROJECT_SOURCE_DIR}/tests/host/comm)
  target_link_libraries(test_mpi PRIVATE sojourn_mpi GTest::gmock GTest::gtest)
  foreach(num_ranks 1 2 3 4 7)
    add_test(NAME mpi.communicator_${num_ranks}
             COMMAND ${MPIEXEC_EXECUTABLE} ${MPIEXEC_NUMPROC_FLAG} ${num_ranks} ${MPIEXEC_PREFLAGS} $<TARGET_FILE:test_mpi>
                     ${MPIEXEC_POSTFLAGS})
    # Root in a container, more ranks than cores: Open MPI 4 and 5 want to be told; MPICH ignores these.
    set_tests_properties(
      mpi.communicator_${num_ranks}
      PROPERTIES LABELS unit TIMEOUT 300 PROCESSORS 2
                 ENVIRONMENT "OMPI_ALLOW_RUN_AS_ROOT=1;OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1;OMPI_MCA_rmaps_base_oversubscribe=1;PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe")
  endforeach()
endif()

# The accuracy zoo: every chain against enclosures, through the public API alone. `scripts/accuracy` runs it too.
file(GLOB zoo_tests CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*.cpp)
add_executable(test_zoo ${zoo_tests})
get_property(rooms_up_to_evaluation GLOBAL PROPERTY SOJOURN_ROOMS_UP_TO_evaluation)
foreach(room ${rooms_up_to_evaluation})
  get_property(objects GLOBAL PROPERTY SOJOURN_OBJECTS_OF_${room})
  target_sources(test_zoo PRIVATE ${objects})
endforeach()
target_include_directories(test_zoo PRIVATE ${PROJECT_SOURCE_DIR}/tests)
target_link_libraries(test_zoo PRIVATE sojourn_settings test_source_folder GTest::gmock GTest::gtest GTest::gtest_main)
gtest_discover_tests(test_zoo TEST_PREFIX zoo. DISCOVERY_TIMEOUT 120 PROPERTIES TIMEOUT 600 LABELS unit
                     ENVIRONMENT SOJOURN_DISABLE_CACHE=1)

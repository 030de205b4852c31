# Kernels for several instruction sets in one binary; see docs/decisions/0010-instruction-sets.md.
#
# Sets SOJOURN_WIDE_SETS to the sets beside the baseline, empty where the compiler, the processor family or the object
# tools cannot do it. `sojourn_kernel_objects(ROOM SOURCE...)` compiles sources of a room for each of them and puts one
# object a set into the variable SOJOURN_KERNEL_OBJECTS_<room>. All of its symbols but the kernels themselves are local.
include(CheckCXXSourceCompiles)

set(SOJOURN_WIDE_SETS)
set(SOJOURN_FLAGS_avx2 -march=x86-64-v3 -mtune=znver3)
set(SOJOURN_FLAGS_avx512 -march=x86-64-v4)
set(SOJOURN_NAME_avx2 kAvx2)
set(SOJOURN_NAME_avx512 kAvx512)
if(SOJOURN_INSTRUCTION_SETS)
  check_cxx_source_compiles("
    #if !defined(__x86_64__) || !defined(__ELF__)
    #error another processor or object format
    #endif
    int main() { return __builtin_cpu_supports(\"x86-64-v3\") + __builtin_cpu_supports(\"x86-64-v4\"); }"
    SOJOURN_CHOOSES_AT_RUN_TIME)
  if(CMAKE_LINKER AND CMAKE_OBJCOPY)
    execute_process(COMMAND ${CMAKE_LINKER} --help OUTPUT_VARIABLE linker_help ERROR_QUIET)
  endif()
  if(SOJOURN_CHOOSES_AT_RUN_TIME AND linker_help MATCHES "force-group-allocation")
    set(SOJOURN_WIDE_SETS avx2 avx512)
  endif()
endif()

function(sojourn_kernel_objects room)
  set(merged_objects)
  foreach(set ${SOJOURN_WIDE_SETS})
    set(part sojourn_${room}_${set})
    add_library(${part} OBJECT ${ARGN})
    target_link_libraries(${part} PRIVATE sojourn_settings)
    # Unique symbols cannot be made local.
    target_compile_options(${part} PRIVATE ${SOJOURN_FLAGS_${set}} -fno-gnu-unique)
    target_compile_definitions(${part} PRIVATE SOJOURN_KERNEL_SET=${SOJOURN_NAME_${set}})
    # The linker resolves the groups of inline functions and templates here, among these objects alone, and what is then
    # local can no longer stand in for the same function of another object.
    set(merged ${CMAKE_CURRENT_BINARY_DIR}/${part}.o)
    add_custom_command(
      OUTPUT ${merged}
      COMMAND ${CMAKE_LINKER} -r --force-group-allocation -o ${merged} $<TARGET_OBJECTS:${part}>
      COMMAND ${CMAKE_OBJCOPY} --wildcard --keep-global-symbol=_ZN*7sojourn*_onILNS_14InstructionSetE* ${merged}
      DEPENDS $<TARGET_OBJECTS:${part}>
      COMMENT "Merging the ${set} kernels of ${room}"
      COMMAND_EXPAND_LISTS VERBATIM)
    list(APPEND merged_objects ${merged})
  endforeach()
  set(SOJOURN_KERNEL_OBJECTS_${room} ${merged_objects} PARENT_SCOPE)
endfunction()

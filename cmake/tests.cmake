# graft_test(NAME SOURCES... LIBS...): one Criterion program, registered with ctest.
function(graft_test name)
    cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
    if(NOT CRITERION_FOUND OR GRAFT_FUZZ)
        return()
    endif()
    add_executable(${name} ${ARG_SOURCES})
    target_link_libraries(${name} PRIVATE ${ARG_LIBS} PkgConfig::CRITERION)
    # Criterion's macros are not written for these warnings.
    target_compile_options(${name} PRIVATE -Wno-conversion -Wno-sign-conversion -Wno-cast-qual -Wno-pedantic
        -Wno-missing-prototypes -Wno-shadow)
    add_test(NAME ${name} COMMAND ${name} --color=never)
endfunction()

# graft_fuzzer(NAME SOURCES... LIBS...): one libFuzzer program, built with -DGRAFT_FUZZ=ON and clang.
function(graft_fuzzer name)
    cmake_parse_arguments(ARG "" "" "SOURCES;LIBS" ${ARGN})
    if(NOT GRAFT_FUZZ)
        return()
    endif()
    add_executable(${name} ${ARG_SOURCES})
    target_link_libraries(${name} PRIVATE ${ARG_LIBS})
    target_compile_options(${name} PRIVATE -Wno-missing-prototypes)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
endfunction()

# Writes the header that says which version this is, when that has changed: cmake -DOUT=FILE -DSOURCE=DIR -P version.cmake
cmake_policy(VERSION 3.25)
execute_process(COMMAND git -C ${SOURCE} describe --always --dirty --abbrev=10 OUTPUT_VARIABLE version
    OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT version)
    set(version unknown)
endif()
file(CONFIGURE OUTPUT ${OUT} CONTENT "#define SIM_VERSION \"@version@\"\n" @ONLY)

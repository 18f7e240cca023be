# graft_archives(MODULES...): after this, an executable whose property GRAFT_ARCHIVES is set links the libraries of these
# pkg-config modules from their archives, where those are installed. Calls within a shared library go through its table
# of procedures; the simulator spends half of its time in such, and is a tenth faster without.
function(graft_archives)
    foreach(module IN LISTS ARGN)
        get_target_property(shared PkgConfig::${module} INTERFACE_LINK_LIBRARIES)
        string(REGEX REPLACE "\\.so$" ".a" archive "${shared}")
        if(archive STREQUAL shared OR NOT EXISTS "${archive}")
            continue()
        endif()
        # SQLite's asks for libm beside the C library, and the others for nothing.
        set_target_properties(PkgConfig::${module} PROPERTIES INTERFACE_LINK_LIBRARIES
            "$<IF:$<BOOL:$<TARGET_PROPERTY:GRAFT_ARCHIVES>>,${archive};m,${shared}>")
    endforeach()
endfunction()

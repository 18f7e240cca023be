-- The settings of a database and what they allow; verbs that want a remote say so.
--@ vfs graft
CREATE TABLE t(v);
PRAGMA graft_version;
PRAGMA graft_remote;
PRAGMA graft_conflict;
PRAGMA graft_conflict = error;
PRAGMA graft_conflict = nonsense;
PRAGMA graft_sync;
PRAGMA graft_sync = manual;
PRAGMA graft_sync = sometimes;
PRAGMA graft_prefetch;
PRAGMA graft_prefetch = off;
PRAGMA graft_prefetch = -3;
PRAGMA graft_prefetch = 64;
PRAGMA graft_cache_limit;
PRAGMA graft_cache_limit = '10M';
PRAGMA graft_cache_limit = 65535;
PRAGMA graft_cache_limit = plenty;
--@ reopen
PRAGMA graft_prefetch;
PRAGMA graft_cache_limit;
PRAGMA graft_cache_limit = 0;
PRAGMA graft_export;
PRAGMA graft_nonsense;
PRAGMA graft_status;

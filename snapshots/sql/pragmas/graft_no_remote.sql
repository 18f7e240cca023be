-- Without a remote the verbs refuse and the tables tell of a local volume.
--@ vfs graft
--@ mask [0-9a-f]{32} ID
CREATE TABLE t(v);
INSERT INTO t VALUES (1);
PRAGMA graft_push;
PRAGMA graft_pull;
PRAGMA graft_fetch;
PRAGMA graft_reset;
PRAGMA graft_hydrate;
SELECT volume, remote, local_lsn, remote_lsn, ahead, behind, state, pages, pages_held FROM graft_status;
SELECT lsn, side, pages, hash FROM graft_log;
SELECT * FROM graft_pages;
SELECT count(*) FROM graft_conflicts;
SELECT count(*) > 0 FROM graft_stats;
SELECT * FROM t;

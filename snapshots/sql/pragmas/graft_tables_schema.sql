-- The tables ask about main, and about an attached database when it is named.
--@ vfs graft
CREATE TABLE t(v);
ATTACH 'file:$DIR/other.graft' AS other;
CREATE TABLE other.a(v);
CREATE TABLE other.b(v);
ATTACH '$DIR/plain.db' AS plain;
CREATE TABLE plain.p(v);
SELECT local_lsn, pages, state FROM graft_status;
SELECT local_lsn, pages, state FROM graft_status('other');
SELECT count(*) FROM graft_status('plain');
SELECT count(*) FROM graft_pages('other');
SELECT count(*) FROM graft_pages('nowhere');
PRAGMA other.graft_status;
SELECT count(*) FROM graft_status, graft_stats('other') WHERE name = 'nothing';
PRAGMA table_info(graft_status);
PRAGMA table_info(graft_log);
PRAGMA table_info(graft_pages);
PRAGMA table_info(graft_stats);
INSERT INTO graft_stats VALUES ('a', 1);

-- Once there is a commit the page size stays, also through VACUUM.
--@ vfs graft
--@ open main main.db?page_size=8192
PRAGMA page_size;
CREATE TABLE t(v);
INSERT INTO t VALUES ('here');
--@ log on
PRAGMA page_size = 1024;
VACUUM;
PRAGMA page_size;
PRAGMA page_size = 8192;
--@ reopen
PRAGMA page_size;
SELECT * FROM t;
PRAGMA integrity_check;
--@ open small small.db?page_size=512
CREATE TABLE t(v);
PRAGMA page_size;
PRAGMA page_count;
--@ open late late.db?page_size=512
PRAGMA page_size = 16384;
CREATE TABLE t(v);
PRAGMA page_size;

-- Every page size that SQLite has, chosen before the first table.
--@ open p512 p512.db
PRAGMA page_size = 512;
CREATE TABLE t AS WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 500) SELECT i, printf('%0100d', i) AS s FROM c;
PRAGMA page_count;
--@ reopen
PRAGMA page_size;
SELECT count(*), max(s) FROM t;
PRAGMA integrity_check;
--@ open p1024 p1024.db
PRAGMA page_size = 1024;
CREATE TABLE t(v);
INSERT INTO t VALUES (zeroblob(100000));
--@ reopen
PRAGMA page_size;
PRAGMA page_count;
PRAGMA integrity_check;
--@ open p2048 p2048.db
PRAGMA page_size = 2048;
CREATE TABLE t(v);
INSERT INTO t VALUES (zeroblob(100000));
--@ reopen
PRAGMA page_size;
PRAGMA page_count;
--@ open p8192 p8192.db
PRAGMA page_size = 8192;
CREATE TABLE t(v);
INSERT INTO t VALUES (zeroblob(100000));
--@ reopen
PRAGMA page_size;
PRAGMA page_count;
--@ open p16384 p16384.db
PRAGMA page_size = 16384;
CREATE TABLE t(v);
INSERT INTO t VALUES (zeroblob(100000));
--@ reopen
PRAGMA page_size;
PRAGMA page_count;
--@ open p32768 p32768.db
PRAGMA page_size = 32768;
CREATE TABLE t(v);
INSERT INTO t VALUES (zeroblob(100000));
--@ reopen
PRAGMA page_size;
PRAGMA page_count;
--@ open p65536 p65536.db
PRAGMA page_size = 65536;
CREATE TABLE t AS WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 5000) SELECT i, printf('%0100d', i) AS s FROM c;
PRAGMA page_count;
--@ reopen
PRAGMA page_size;
SELECT count(*), max(s) FROM t;
PRAGMA integrity_check;
PRAGMA page_size = 1000;
PRAGMA page_size;

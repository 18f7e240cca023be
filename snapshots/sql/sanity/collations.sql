-- Collations decide order, equality and which index serves.
CREATE TABLE t(a TEXT COLLATE NOCASE, b TEXT COLLATE RTRIM, c TEXT);
INSERT INTO t VALUES ('Bob', 'x', 'Bob'), ('alice', 'x  ', 'alice'), ('BOB', 'y', 'BOB'), ('Carol', 'y ', 'Carol');
SELECT a FROM t ORDER BY a, rowid;
SELECT c FROM t ORDER BY c;
SELECT count(*) FROM t WHERE a = 'bob';
SELECT count(*) FROM t WHERE c = 'bob';
SELECT count(*) FROM t WHERE c = 'bob' COLLATE NOCASE;
SELECT count(DISTINCT a), count(DISTINCT b), count(DISTINCT c) FROM t;
CREATE UNIQUE INDEX t_c ON t(c);
CREATE UNIQUE INDEX t_a ON t(a);
CREATE INDEX t_cn ON t(c COLLATE NOCASE);
EXPLAIN QUERY PLAN SELECT * FROM t WHERE c = 'x' COLLATE NOCASE;
SELECT 'a' < 'B' COLLATE NOCASE, 'a' < 'B', 'a ' = 'a' COLLATE RTRIM;
SELECT * FROM t ORDER BY c COLLATE missing;
REINDEX NOCASE;
PRAGMA integrity_check;

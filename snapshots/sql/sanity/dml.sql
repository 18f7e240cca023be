-- Rows are inserted, changed and deleted, and the counters follow.
CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, score REAL);
INSERT INTO t(name, score) VALUES ('ada', 9.5), ('ben', 7), ('cid', NULL);
SELECT changes(), last_insert_rowid(), total_changes();
UPDATE t SET score = coalesce(score, 0) + 1 WHERE name <> 'ada';
SELECT changes();
SELECT * FROM t ORDER BY id;
DELETE FROM t WHERE score < 8 AND id > 2;
SELECT changes(), (SELECT count(*) FROM t);
INSERT INTO t SELECT id + 10, upper(name), score * 2 FROM t;
SELECT * FROM t ORDER BY id;
UPDATE t SET id = 100 WHERE id = 12;
UPDATE t SET id = 1 WHERE id = 100;
REPLACE INTO t VALUES (1, 'new', 0);
DELETE FROM t;
SELECT changes(), (SELECT count(*) FROM t);

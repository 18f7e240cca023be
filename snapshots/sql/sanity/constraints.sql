-- Constraints refuse with their own codes, and a refused statement leaves nothing.
CREATE TABLE t(id INTEGER PRIMARY KEY, email TEXT UNIQUE, age INT NOT NULL CHECK (age BETWEEN 0 AND 150), UNIQUE(age, email));
INSERT INTO t VALUES (1, 'a@x', 20);
INSERT INTO t VALUES (1, 'b@x', 20);
INSERT INTO t VALUES (2, 'a@x', 20);
INSERT INTO t VALUES (2, 'b@x', NULL);
INSERT INTO t VALUES (2, 'b@x', 200);
INSERT INTO t VALUES (2, 'b@x', 30), (3, 'c@x', 31), (4, 'a@x', 32);
SELECT * FROM t;
INSERT OR IGNORE INTO t VALUES (2, 'b@x', 30), (3, 'a@x', 31), (4, 'd@x', 32);
INSERT OR REPLACE INTO t VALUES (9, 'b@x', 33);
INSERT OR FAIL INTO t VALUES (10, 'e@x', 1), (11, 'e@x', 2), (12, 'f@x', 3);
SELECT * FROM t ORDER BY id;
BEGIN;
INSERT INTO t VALUES (20, 'g@x', 40);
INSERT OR ROLLBACK INTO t VALUES (20, 'h@x', 40);
SELECT count(*) FROM t WHERE id = 20;
COMMIT;
PRAGMA integrity_check;

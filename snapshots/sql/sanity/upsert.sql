-- ON CONFLICT does nothing, updates, or updates under a condition.
CREATE TABLE counter(name TEXT PRIMARY KEY, n INT NOT NULL DEFAULT 1, last INT);
INSERT INTO counter(name, last) VALUES ('a', 1) ON CONFLICT(name) DO UPDATE SET n = n + 1, last = excluded.last;
INSERT INTO counter(name, last) VALUES ('a', 2), ('b', 2), ('a', 3) ON CONFLICT(name) DO UPDATE SET n = n + 1, last = excluded.last;
SELECT * FROM counter ORDER BY name;
INSERT INTO counter(name, last) VALUES ('a', 0) ON CONFLICT(name) DO UPDATE SET last = excluded.last WHERE excluded.last > last;
INSERT INTO counter(name) VALUES ('b') ON CONFLICT DO NOTHING;
SELECT * FROM counter ORDER BY name;
INSERT INTO counter(name) VALUES ('b') ON CONFLICT(n) DO NOTHING;
INSERT INTO counter(name, n) SELECT name, 100 FROM counter WHERE true ON CONFLICT(name) DO UPDATE SET n = n + excluded.n RETURNING name, n;

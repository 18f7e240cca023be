-- The older full-text module works too.
CREATE VIRTUAL TABLE mail USING fts4(subject, body);
INSERT INTO mail VALUES ('software feedback', 'found it too slow'), ('slow lunch order', 'was a software problem');
SELECT subject FROM mail WHERE mail MATCH 'software';
SELECT subject FROM mail WHERE subject MATCH 'lunch';
SELECT snippet(mail) FROM mail WHERE mail MATCH 'slow';
INSERT INTO mail(mail) VALUES ('integrity-check');
DELETE FROM mail WHERE docid = 1;
SELECT count(*) FROM mail WHERE mail MATCH 'slow';

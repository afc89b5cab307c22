BEGIN TRANSACTION;
CREATE TABLE events (
	id INTEGER NOT NULL, 
	version INTEGER NOT NULL, 
	kind VARCHAR NOT NULL, 
	sequence INTEGER NOT NULL, 
	at VARCHAR NOT NULL, 
	reason VARCHAR NOT NULL, 
	other INTEGER, 
	PRIMARY KEY (id), 
	FOREIGN KEY(sequence) REFERENCES records (sequence), 
	FOREIGN KEY(other) REFERENCES records (sequence)
);
INSERT INTO "events" VALUES(1,1,'add',1,'2026-11-28T14:36:02.745525+00:00','',NULL);
INSERT INTO "events" VALUES(2,2,'supersede',1,'2026-11-28T14:36:02.811766+00:00','',2);
INSERT INTO "events" VALUES(3,2,'add',2,'2026-11-28T14:36:02.811766+00:00','',NULL);
INSERT INTO "events" VALUES(4,3,'add',3,'2026-11-28T14:36:02.854247+00:00','',NULL);
INSERT INTO "events" VALUES(5,4,'add',4,'2026-11-28T14:36:02.928141+00:00','',NULL);
INSERT INTO "events" VALUES(6,5,'forget',4,'2026-11-28T14:36:02.943045+00:00','',NULL);
INSERT INTO "events" VALUES(7,6,'add',5,'2026-11-28T14:36:02.971310+00:00','',NULL);
CREATE TABLE keys (
	id INTEGER NOT NULL, 
	sequence INTEGER NOT NULL, 
	text VARCHAR NOT NULL, 
	vector BLOB NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(sequence) REFERENCES records (sequence)
);
INSERT INTO "keys" VALUES(1,1,'The capital of Peru is',X'EB0551BEEB05513E0000000070C41CBF0000000070C41CBFEB05D1BE00000000');
INSERT INTO "keys" VALUES(2,1,'Peru''s capital?',X'2EF9643E2EF9643E000000002EF9E4BE00000000E2BA2B3F2EF9E4BE2EF9643E');
INSERT INTO "keys" VALUES(3,2,'The capital of Peru is',X'EB0551BEEB05513E0000000070C41CBF0000000070C41CBFEB05D1BE00000000');
INSERT INTO "keys" VALUES(4,3,'The tariff is',X'A53284BE0000000000000000A53284BE00000000A53204BFF74B463F00000000');
INSERT INTO "keys" VALUES(5,4,'Our refund window is 60 days.',X'A3F823BEA3F8233EA3F8A33EA3F823BF00000000A3F8A33EF4F4F5BEA3F8A33E');
INSERT INTO "keys" VALUES(6,5,'Employees have 28 days of leave a year, taken in whole days. Requests go to the manager, two weeks before. Unused days lapse at the end of March.',X'89A8B1BEB7E0EC3DB7E0EC3D957640BF00000000A044CFBE89A8B1BEB7E06C3D');
CREATE TABLE meta (
	name VARCHAR NOT NULL, 
	value VARCHAR NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "meta" VALUES('format','1');
INSERT INTO "meta" VALUES('memory','3436cf24ffc5410cb728483567bd8755');
INSERT INTO "meta" VALUES('encoder','hashing-8');
INSERT INTO "meta" VALUES('dimension','8');
INSERT INTO "meta" VALUES('embedding','76605bb9bc2546159b4aa5fde8c0f0d7');
CREATE TABLE payloads (
	sequence INTEGER NOT NULL, 
	editor VARCHAR NOT NULL, 
	tensors BLOB NOT NULL, 
	"values" VARCHAR NOT NULL, 
	PRIMARY KEY (sequence, editor), 
	UNIQUE (sequence, editor), 
	FOREIGN KEY(sequence) REFERENCES records (sequence)
);
CREATE TABLE records (
	sequence INTEGER NOT NULL, 
	version INTEGER NOT NULL, 
	namespace VARCHAR NOT NULL, 
	id VARCHAR NOT NULL, 
	prompt VARCHAR NOT NULL, 
	target_new VARCHAR, 
	subject VARCHAR, 
	target_true VARCHAR, 
	queries VARCHAR NOT NULL, 
	source VARCHAR NOT NULL, 
	valid_from VARCHAR, 
	valid_until VARCHAR, 
	relation INTEGER, 
	digest VARCHAR NOT NULL, 
	PRIMARY KEY (sequence), 
	FOREIGN KEY(relation) REFERENCES relations (id)
);
INSERT INTO "records" VALUES(1,1,'default','a03362866f5553ae','The capital of Peru is','Lima','Peru',NULL,'["Peru''s capital?"]','atlas',NULL,NULL,1,'50954fe6ce20d63bab9b1fc265c592f82d46b84764d39f4407f644c9b0200776');
INSERT INTO "records" VALUES(2,2,'default','ec99dd4f82104d84','The capital of Peru is','Cusco','Peru',NULL,'[]','',NULL,NULL,1,'31a9a4a12643a77cb7cb8c27c976b905ba977a3d077180f5e57baf1e30789253');
INSERT INTO "records" VALUES(3,3,'default','e101650f6f3e77f9','The tariff is','30 euros','tariff',NULL,'[]','','2025-01-01T00:00:00.000000+00:00','2026-01-01T00:00:00.000000+00:00',2,'72f3ea8fc3f2000dbc5d50a097032fa8a4ea9c3c8f732fac7ea5c6095821597d');
INSERT INTO "records" VALUES(4,4,'default','70a86aa0e7611016','Our refund window is 60 days.',NULL,NULL,NULL,'[]','',NULL,NULL,NULL,'a7323dc8df8c5148c047af9285b586865129289f19afa27cf3d680441fcd2049');
INSERT INTO "records" VALUES(5,6,'hr','3c2fbcfc533c7c4c','Employees have 28 days of leave a year, taken in whole days. Requests go to the manager, two weeks before. Unused days lapse at the end of March.',NULL,NULL,NULL,'[]','',NULL,NULL,NULL,'5b13f8818969c8eadfce9505df93b496ad000445b56b2df9c4e6fb96520cb948');
CREATE TABLE relations (
	id INTEGER NOT NULL, 
	text VARCHAR NOT NULL, 
	vector BLOB NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (text)
);
INSERT INTO "relations" VALUES(1,'The capital of it is',X'0000000000000000EB05D1BE70C41CBFEB05513E70C41CBF00000000EB05513E');
INSERT INTO "relations" VALUES(2,'The it is',X'D5000EBF00000000D5000EBF00000000D5008E3ED5000EBF0000000000000000');
CREATE INDEX records_by_id ON records (id, namespace);
CREATE INDEX ix_keys_sequence ON keys (sequence);
CREATE INDEX ix_events_sequence ON events (sequence);
CREATE INDEX ix_events_version ON events (version);
COMMIT;

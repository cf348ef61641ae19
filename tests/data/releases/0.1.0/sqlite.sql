BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE app_creations (
	seq INTEGER NOT NULL, 
	account TEXT NOT NULL, 
	region TEXT NOT NULL, 
	at_ms BIGINT NOT NULL, 
	PRIMARY KEY (seq)
);
INSERT INTO "app_creations" VALUES(1,'000000000000','us-east-1',1795317724830);
INSERT INTO "app_creations" VALUES(2,'000000000000','us-east-1',1795317725033);
CREATE TABLE apps (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	app_id TEXT NOT NULL, 
	account TEXT NOT NULL, 
	region TEXT NOT NULL, 
	config TEXT NOT NULL, 
	tags TEXT NOT NULL, 
	access_token_sealed BLOB, 
	hosting TEXT DEFAULT '{}' NOT NULL, 
	ssh_key_sealed BLOB, 
	created_ms BIGINT NOT NULL, 
	updated_ms BIGINT NOT NULL, 
	UNIQUE (app_id)
);
INSERT INTO "apps" VALUES(1,'df8xzk7mmkk3x','000000000000','us-east-1','{"name":"site","description":"All kinds of jobs","repository":"https://git.example/site.git","platform":"WEB","iam_service_role_arn":null,"compute_role_arn":null,"environment_variables":{"A":"1","B":"x=y z"},"enable_branch_auto_build":true,"enable_branch_auto_deletion":false,"enable_basic_auth":false,"basic_auth_credentials":null,"custom_rules":[{"source":"/<*>","target":"/index.html","status":"404-200","condition":null}],"build_spec":"version: 1\nfrontend:\n  artifacts:\n    baseDirectory: dist\n    files: [''**/*'']\n","custom_headers":"customHeaders:\n  - pattern: ''**''\n    headers:\n      - key: X-A\n        value: b\n","enable_auto_branch_creation":false,"auto_branch_creation_patterns":[],"auto_branch_creation_config":null,"cache_config":"AMPLIFY_MANAGED","compute_type":"STANDARD_8GB"}','{"team":"web"}',X'A5963ED2859F8397CB24019093ABF379141485006CED701BE522FDD7C7','{}',NULL,1795317724830,1795317724830);
INSERT INTO "apps" VALUES(2,'dzlpmkcaghha9','000000000000','us-east-1','{"name":"uploads","description":null,"repository":null,"platform":"WEB","iam_service_role_arn":null,"compute_role_arn":null,"environment_variables":{},"enable_branch_auto_build":false,"enable_branch_auto_deletion":false,"enable_basic_auth":false,"basic_auth_credentials":null,"custom_rules":[],"build_spec":null,"custom_headers":null,"enable_auto_branch_creation":false,"auto_branch_creation_patterns":[],"auto_branch_creation_config":null,"cache_config":"AMPLIFY_MANAGED","compute_type":"STANDARD_8GB"}','{}',NULL,'{}',NULL,1795317725033,1795317725033);
CREATE TABLE artifacts (
	branch_id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	ordinal INTEGER NOT NULL, 
	kind TEXT NOT NULL, 
	file_name TEXT NOT NULL, 
	blob TEXT NOT NULL, 
	size BIGINT NOT NULL, 
	PRIMARY KEY (branch_id, number, ordinal), 
	FOREIGN KEY(branch_id) REFERENCES branches (branch_id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "artifacts" VALUES(1,1,0,'TEST','report.json','1111111111111111111111111111111111111111111111111111111111111111',10);
INSERT INTO "artifacts" VALUES(1,2,0,'TEST','report.json','1111111111111111111111111111111111111111111111111111111111111111',10);
CREATE TABLE attempts (
	branch_id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	attempt INTEGER NOT NULL, 
	worker_id TEXT NOT NULL, 
	started_ms BIGINT NOT NULL, 
	ended_ms BIGINT, 
	outcome TEXT, 
	PRIMARY KEY (branch_id, number, attempt)
)
 WITHOUT ROWID

;
INSERT INTO "attempts" VALUES(1,1,1,'0123456789abcdef',1795317724906,1795317724912,'FINISHED');
INSERT INTO "attempts" VALUES(1,2,1,'0123456789abcdef',1795317724940,1795317724944,'FINISHED');
INSERT INTO "attempts" VALUES(1,3,1,'0123456789abcdef',1795317724964,1795317724968,'FINISHED');
INSERT INTO "attempts" VALUES(1,4,1,'0123456789abcdef',1795317724987,1795317724999,'FINISHED');
INSERT INTO "attempts" VALUES(1,5,1,'0123456789abcdef',1795317725026,NULL,NULL);
CREATE TABLE audit (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	at_ms BIGINT NOT NULL, 
	account TEXT, 
	actor TEXT NOT NULL, 
	operation TEXT NOT NULL, 
	app_id TEXT, 
	target TEXT NOT NULL, 
	result TEXT NOT NULL, 
	request_id TEXT NOT NULL
);
INSERT INTO "audit" VALUES(1,1795317724835,'000000000000','AKIAAKI5KDGPVZEECBEY','CreateApp','df8xzk7mmkk3x','name=site','OK','d73136c0-ba6b-48ab-9c42-1d919c3b7894');
INSERT INTO "audit" VALUES(2,1795317724848,'000000000000','AKIAAKI5KDGPVZEECBEY','CreateBranch','df8xzk7mmkk3x','branchName=main','OK','72286852-f209-4eb4-b18c-7a0108e283c4');
INSERT INTO "audit" VALUES(3,1795317724856,'000000000000','AKIAAKI5KDGPVZEECBEY','CreateBranch','df8xzk7mmkk3x','branchName=feature/one','OK','7d6beca4-ce74-4805-8975-c1eb67642b91');
INSERT INTO "audit" VALUES(4,1795317724866,'000000000000','AKIAAKI5KDGPVZEECBEY','CreateWebhook','df8xzk7mmkk3x','branchName=main','OK','4ae92f19-f311-4f8f-994e-0417972a1591');
INSERT INTO "audit" VALUES(5,1795317724871,'000000000000','AKIAAKI5KDGPVZEECBEY','CreateBackendEnvironment','df8xzk7mmkk3x','environmentName=staging','OK','4ba61c10-ef3b-43a7-8af9-610bc34a0b25');
INSERT INTO "audit" VALUES(6,1795317724883,'000000000000','AKIAAKI5KDGPVZEECBEY','CreateDomainAssociation','df8xzk7mmkk3x','domainName=example.com','OK','466a7f2d-7bb5-4fe2-becc-86e5b3770de5');
INSERT INTO "audit" VALUES(7,1795317724900,'000000000000','AKIAAKI5KDGPVZEECBEY','StartJob','df8xzk7mmkk3x','branchName=main','OK','d88f896f-f6ef-4910-9377-442093fad952');
INSERT INTO "audit" VALUES(8,1795317724929,'000000000000','AKIAAKI5KDGPVZEECBEY','StartJob','df8xzk7mmkk3x','branchName=main','OK','f955377e-8c58-46d0-acb4-d68877ed6f5c');
INSERT INTO "audit" VALUES(9,1795317724959,'000000000000','AKIAAKI5KDGPVZEECBEY','StartJob','df8xzk7mmkk3x','branchName=main','OK','2c72c117-d7dc-4791-8787-a95da25b6eeb');
INSERT INTO "audit" VALUES(10,1795317724981,'000000000000','AKIAAKI5KDGPVZEECBEY','StartJob','df8xzk7mmkk3x','branchName=main','OK','f8078dc1-1903-45f3-bc6e-a6258652a5f9');
INSERT INTO "audit" VALUES(11,1795317724998,'000000000000','AKIAAKI5KDGPVZEECBEY','StopJob','df8xzk7mmkk3x','branchName=main jobId=4','OK','4a43602d-3da0-4add-b3d6-a15dd7874784');
INSERT INTO "audit" VALUES(12,1795317725008,'000000000000','AKIAAKI5KDGPVZEECBEY','/_preamp/rollback','df8xzk7mmkk3x','branch=main','OK','');
INSERT INTO "audit" VALUES(13,1795317725021,'000000000000','AKIAAKI5KDGPVZEECBEY','StartJob','df8xzk7mmkk3x','branchName=main','OK','3af5bc6c-1225-4e3f-9623-9d901a68df88');
INSERT INTO "audit" VALUES(14,1795317725036,'000000000000','AKIAAKI5KDGPVZEECBEY','CreateApp','dzlpmkcaghha9','name=uploads','OK','09ef4d12-63ae-4601-9722-30b1fc561664');
INSERT INTO "audit" VALUES(15,1795317725046,'000000000000','AKIAAKI5KDGPVZEECBEY','CreateBranch','dzlpmkcaghha9','branchName=main','OK','a35011b9-2c47-4b59-ba27-bbd7673f740b');
INSERT INTO "audit" VALUES(16,1795317725052,'000000000000','AKIAAKI5KDGPVZEECBEY','CreateDeployment','dzlpmkcaghha9','branchName=main','OK','b497b12f-dd40-4828-92c7-ad742a91bd70');
INSERT INTO "audit" VALUES(17,1795317725059,'000000000000','AKIAAKI5KDGPVZEECBEY','CreateBranch','df8xzk7mmkk3x','branchName=gone','OK','bf4bc85a-33be-4199-a947-4d330444c531');
INSERT INTO "audit" VALUES(18,1795317725066,'000000000000','AKIAAKI5KDGPVZEECBEY','StartJob','df8xzk7mmkk3x','branchName=gone','OK','456436c3-8521-4a00-8c8e-d3f6bbaef689');
INSERT INTO "audit" VALUES(19,1795317725072,'000000000000','AKIAAKI5KDGPVZEECBEY','DeleteBranch','df8xzk7mmkk3x','branchName=gone','OK','914ab64f-b971-4768-895b-47396fcd4f93');
CREATE TABLE backend_environments (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	app_id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	stack_name TEXT NOT NULL, 
	deployment_artifacts TEXT NOT NULL, 
	created_ms BIGINT NOT NULL, 
	updated_ms BIGINT NOT NULL, 
	FOREIGN KEY(app_id) REFERENCES apps (app_id) ON DELETE CASCADE, 
	CONSTRAINT backend_environments_by_name UNIQUE (app_id, name)
);
INSERT INTO "backend_environments" VALUES(1,'df8xzk7mmkk3x','staging','amplify-df8xzk7mmkk3x-staging','amplify-df8xzk7mmkk3x-staging-deployment',1795317724868,1795317724868);
CREATE TABLE branches (
	branch_id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	app_id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	label TEXT NOT NULL, 
	config TEXT NOT NULL, 
	tags TEXT NOT NULL, 
	created_ms BIGINT NOT NULL, 
	updated_ms BIGINT NOT NULL, 
	hosting TEXT DEFAULT '{}' NOT NULL, 
	last_job INTEGER DEFAULT '0' NOT NULL, 
	job_count INTEGER DEFAULT '0' NOT NULL, 
	active_job INTEGER, 
	active_release TEXT, 
	FOREIGN KEY(app_id) REFERENCES apps (app_id) ON DELETE CASCADE, 
	CONSTRAINT branches_by_label UNIQUE (app_id, label), 
	CONSTRAINT branches_by_name UNIQUE (app_id, name)
);
INSERT INTO "branches" VALUES(1,'df8xzk7mmkk3x','main','main','{"description":null,"stage":"PRODUCTION","display_name":null,"framework":null,"enable_notification":false,"enable_auto_build":true,"enable_skew_protection":true,"environment_variables":{"C":"2"},"enable_basic_auth":true,"basic_auth_credentials":"dTpw","enable_performance_mode":false,"build_spec":null,"ttl":"5","enable_pull_request_preview":false,"pull_request_environment_name":null,"backend_environment_arn":null,"backend_stack_arn":null,"compute_role_arn":null}','{"branch":"yes"}',1795317724843,1795317724843,'{}',6,6,1,'b6ad423b9380c00b');
INSERT INTO "branches" VALUES(2,'df8xzk7mmkk3x','feature/one','feature-one','{"description":null,"stage":"NONE","display_name":null,"framework":null,"enable_notification":false,"enable_auto_build":true,"enable_skew_protection":false,"environment_variables":{},"enable_basic_auth":null,"basic_auth_credentials":null,"enable_performance_mode":false,"build_spec":null,"ttl":"60","enable_pull_request_preview":false,"pull_request_environment_name":null,"backend_environment_arn":null,"backend_stack_arn":null,"compute_role_arn":null}','{}',1795317724851,1795317724851,'{}',0,0,NULL,NULL);
INSERT INTO "branches" VALUES(3,'dzlpmkcaghha9','main','main','{"description":null,"stage":"NONE","display_name":null,"framework":null,"enable_notification":false,"enable_auto_build":true,"enable_skew_protection":false,"environment_variables":{},"enable_basic_auth":null,"basic_auth_credentials":null,"enable_performance_mode":false,"build_spec":null,"ttl":"5","enable_pull_request_preview":false,"pull_request_environment_name":null,"backend_environment_arn":null,"backend_stack_arn":null,"compute_role_arn":null}','{}',1795317725043,1795317725043,'{}',1,1,NULL,NULL);
CREATE TABLE changes (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	app_id TEXT NOT NULL, 
	at_ms BIGINT NOT NULL
);
INSERT INTO "changes" VALUES(1,'df8xzk7mmkk3x',1795317724843);
INSERT INTO "changes" VALUES(2,'df8xzk7mmkk3x',1795317724851);
INSERT INTO "changes" VALUES(3,'df8xzk7mmkk3x',1795317724912);
INSERT INTO "changes" VALUES(4,'df8xzk7mmkk3x',1795317724944);
INSERT INTO "changes" VALUES(5,'df8xzk7mmkk3x',1795317725003);
INSERT INTO "changes" VALUES(6,'dzlpmkcaghha9',1795317725043);
INSERT INTO "changes" VALUES(7,'df8xzk7mmkk3x',1795317725056);
INSERT INTO "changes" VALUES(8,'df8xzk7mmkk3x',1795317725071);
CREATE TABLE domains (
	domain_id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	app_id TEXT NOT NULL, 
	name TEXT NOT NULL, 
	config TEXT NOT NULL, 
	tags TEXT DEFAULT '{}' NOT NULL, 
	status TEXT NOT NULL, 
	update_status TEXT, 
	status_reason TEXT, 
	verified_ms BIGINT, 
	next_check_ms BIGINT, 
	created_ms BIGINT NOT NULL, 
	updated_ms BIGINT NOT NULL, 
	FOREIGN KEY(app_id) REFERENCES apps (app_id) ON DELETE CASCADE, 
	CONSTRAINT domains_by_name UNIQUE (app_id, name)
);
INSERT INTO "domains" VALUES(1,'df8xzk7mmkk3x','example.com','{"enable_auto_sub_domain":false,"auto_patterns":[],"auto_iam_role":null,"certificate_type":"AMPLIFY_MANAGED","custom_certificate_arn":null}','{}','CREATING',NULL,NULL,NULL,1795317724873,1795317724873,1795317724873);
CREATE TABLE jobs (
	branch_id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	app_id TEXT NOT NULL, 
	account TEXT NOT NULL, 
	region TEXT NOT NULL, 
	type TEXT NOT NULL, 
	state TEXT NOT NULL, 
	stop_requested_ms BIGINT, 
	reason TEXT, 
	commit_id TEXT, 
	commit_message TEXT, 
	commit_time_ms BIGINT, 
	source_url TEXT, 
	source_url_type TEXT, 
	created_ms BIGINT NOT NULL, 
	started_ms BIGINT, 
	ended_ms BIGINT, 
	attempt INTEGER DEFAULT '0' NOT NULL, 
	worker_id TEXT, 
	status_reason TEXT, 
	pushed BOOLEAN DEFAULT (false) NOT NULL, 
	PRIMARY KEY (branch_id, number), 
	FOREIGN KEY(branch_id) REFERENCES branches (branch_id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "jobs" VALUES(1,1,'df8xzk7mmkk3x','000000000000','us-east-1','RELEASE','SUCCEED',NULL,NULL,'c0ffee',NULL,1795317724896,NULL,NULL,1795317724896,1795317724896,1795317724912,1,'0123456789abcdef',NULL,0);
INSERT INTO "jobs" VALUES(1,2,'df8xzk7mmkk3x','000000000000','us-east-1','RELEASE','SUCCEED',NULL,NULL,'c0ffee',NULL,1795317724924,NULL,NULL,1795317724924,1795317724924,1795317724944,1,'0123456789abcdef',NULL,0);
INSERT INTO "jobs" VALUES(1,3,'df8xzk7mmkk3x','000000000000','us-east-1','RELEASE','FAILED',NULL,NULL,'c0ffee',NULL,1795317724955,NULL,NULL,1795317724955,1795317724955,1795317724968,1,'0123456789abcdef','It''s "broken"
really: 100 % ü',0);
INSERT INTO "jobs" VALUES(1,4,'df8xzk7mmkk3x','000000000000','us-east-1','RELEASE','CANCELLED',1795317724994,NULL,'c0ffee',NULL,1795317724978,NULL,NULL,1795317724978,1795317724978,1795317724999,1,'0123456789abcdef','stopped',0);
INSERT INTO "jobs" VALUES(1,5,'df8xzk7mmkk3x','000000000000','us-east-1','RELEASE','RUNNING',NULL,NULL,'c0ffee',NULL,1795317725018,NULL,NULL,1795317725018,1795317725018,NULL,1,'0123456789abcdef',NULL,0);
INSERT INTO "jobs" VALUES(1,6,'df8xzk7mmkk3x','000000000000','us-east-1','RELEASE','PENDING',NULL,NULL,'HEAD',NULL,NULL,NULL,NULL,1795317725029,1795317725029,NULL,0,NULL,NULL,1);
INSERT INTO "jobs" VALUES(3,1,'dzlpmkcaghha9','000000000000','us-east-1','MANUAL','CREATED',NULL,NULL,NULL,NULL,NULL,NULL,NULL,1795317725049,NULL,NULL,0,NULL,NULL,0);
CREATE TABLE keys (
	access_key_id TEXT NOT NULL, 
	account TEXT NOT NULL, 
	name TEXT NOT NULL, 
	secret_sealed BLOB NOT NULL, 
	policy TEXT, 
	enabled BOOLEAN NOT NULL, 
	created_ms BIGINT NOT NULL, 
	PRIMARY KEY (access_key_id)
);
INSERT INTO "keys" VALUES('AKIAAKI5KDGPVZEECBEY','000000000000','administrator',X'B5B170A40813AA62C6E47229C28A701C8D7C70BB4BAA842006F0C76E9AA6912F9FC2C012D5D456CEF04D50D93D62BB5B6C9338CC6CC9FBBD1689B777A00F88D3CF016FFA',NULL,1,1795317724714);
INSERT INTO "keys" VALUES('AKIAA3ZIPQKCQOBSWDSR','000000000000','reader',X'D289560605428F4880983FBFA9399DA7D16A47A27D5C8E1017C8949D1EE07C07EA494E1AA085B4BDA2589615A08AE36124DEE071E46736AE2FE956F28F225A0DD438C3F1','{"Version": "2012-10-17", "Statement": []}',1,1795317724821);
CREATE TABLE quotas (
	account TEXT NOT NULL, 
	region TEXT NOT NULL, 
	name TEXT NOT NULL, 
	value BIGINT, 
	PRIMARY KEY (account, region, name)
);
INSERT INTO "quotas" VALUES('000000000000','us-east-1','concurrent-jobs',7);
CREATE TABLE releases (
	release_id TEXT NOT NULL, 
	branch_id INTEGER NOT NULL, 
	job INTEGER NOT NULL, 
	manifest_blob TEXT NOT NULL, 
	manifest_size BIGINT NOT NULL, 
	file_count INTEGER NOT NULL, 
	total_bytes BIGINT NOT NULL, 
	created_ms BIGINT NOT NULL, 
	PRIMARY KEY (release_id), 
	FOREIGN KEY(branch_id) REFERENCES branches (branch_id) ON DELETE CASCADE, 
	CONSTRAINT releases_by_job UNIQUE (branch_id, job)
);
INSERT INTO "releases" VALUES('b6ad423b9380c00b',1,1,'deb834fad335189cbc296b2f99d8d67d58a2eb2f0f3b1eb9269321c5956d32cb',84,3,4096,1795317724912);
INSERT INTO "releases" VALUES('fbeabe350339f109',1,2,'deb834fad335189cbc296b2f99d8d67d58a2eb2f0f3b1eb9269321c5956d32cb',84,3,4096,1795317724944);
CREATE TABLE secrets (
	app_id TEXT NOT NULL, 
	branch TEXT NOT NULL, 
	name TEXT NOT NULL, 
	value_sealed BLOB NOT NULL, 
	as_variable BOOLEAN NOT NULL, 
	updated_ms BIGINT NOT NULL, 
	PRIMARY KEY (app_id, branch, name), 
	FOREIGN KEY(app_id) REFERENCES apps (app_id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "secrets" VALUES('df8xzk7mmkk3x','','TOKEN',X'5A2342C758B9168EA9D5E91963CB1A31CDCDB4B1E465B15CF2784F7DA2',1,1795317724886);
CREATE TABLE steps (
	branch_id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	attempt INTEGER NOT NULL, 
	status TEXT NOT NULL, 
	started_ms BIGINT NOT NULL, 
	ended_ms BIGINT, 
	status_reason TEXT, 
	context TEXT, 
	PRIMARY KEY (branch_id, number, position)
)
 WITHOUT ROWID

;
INSERT INTO "steps" VALUES(1,1,0,'BUILD',1,'SUCCEED',1795317724908,1795317724909,NULL,NULL);
INSERT INTO "steps" VALUES(1,1,2,'DEPLOY',1,'SUCCEED',1795317724909,1795317724912,NULL,'{}');
INSERT INTO "steps" VALUES(1,2,0,'BUILD',1,'SUCCEED',1795317724941,1795317724942,NULL,NULL);
INSERT INTO "steps" VALUES(1,2,2,'DEPLOY',1,'SUCCEED',1795317724942,1795317724944,NULL,'{}');
INSERT INTO "steps" VALUES(1,3,0,'BUILD',1,'SUCCEED',1795317724966,1795317724966,NULL,NULL);
INSERT INTO "steps" VALUES(1,3,2,'DEPLOY',1,'FAILED',1795317724967,1795317724968,'It''s "broken"
really: 100 % ü','{}');
INSERT INTO "steps" VALUES(1,4,0,'BUILD',1,'SUCCEED',1795317724989,1795317724989,NULL,NULL);
INSERT INTO "steps" VALUES(1,4,2,'DEPLOY',1,'CANCELLED',1795317724989,1795317724999,'stopped','{}');
INSERT INTO "steps" VALUES(1,5,0,'BUILD',1,'SUCCEED',1795317725027,1795317725028,NULL,NULL);
INSERT INTO "steps" VALUES(1,5,2,'DEPLOY',1,'RUNNING',1795317725028,NULL,NULL,'{}');
CREATE TABLE subdomains (
	domain_id INTEGER NOT NULL, 
	prefix TEXT NOT NULL, 
	branch_id INTEGER NOT NULL, 
	host TEXT NOT NULL, 
	is_auto BOOLEAN NOT NULL, 
	claimed BOOLEAN NOT NULL, 
	since_ms BIGINT NOT NULL, 
	verified_ms BIGINT, 
	problem TEXT, 
	PRIMARY KEY (domain_id, prefix), 
	FOREIGN KEY(branch_id) REFERENCES branches (branch_id) ON DELETE CASCADE, 
	FOREIGN KEY(domain_id) REFERENCES domains (domain_id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "subdomains" VALUES(1,'',1,'example.com',0,1,1795317724873,NULL,NULL);
INSERT INTO "subdomains" VALUES(1,'one',2,'one.example.com',0,1,1795317724873,NULL,NULL);
CREATE TABLE switches (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	branch_id BIGINT NOT NULL, 
	kind TEXT NOT NULL, 
	from_job INTEGER, 
	to_job INTEGER NOT NULL, 
	source_branch TEXT, 
	source_job INTEGER, 
	actor TEXT NOT NULL, 
	at_ms BIGINT NOT NULL, 
	FOREIGN KEY(branch_id) REFERENCES branches (branch_id) ON DELETE CASCADE
);
INSERT INTO "switches" VALUES(1,1,'ROLLBACK',2,1,NULL,NULL,'AKIAAKI5KDGPVZEECBEY',1795317725003);
CREATE TABLE uploads (
	branch_id INTEGER NOT NULL, 
	number INTEGER NOT NULL, 
	ordinal INTEGER NOT NULL, 
	path TEXT NOT NULL, 
	md5 TEXT, 
	blob TEXT, 
	size BIGINT, 
	received_ms BIGINT, 
	PRIMARY KEY (branch_id, number, ordinal), 
	FOREIGN KEY(branch_id) REFERENCES branches (branch_id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "uploads" VALUES(3,1,0,'index.html','00000000000000000000000000000000',NULL,NULL,NULL);
CREATE TABLE webhooks (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	webhook_id TEXT NOT NULL, 
	app_id TEXT NOT NULL, 
	branch_id BIGINT NOT NULL, 
	description TEXT NOT NULL, 
	token_sealed BLOB NOT NULL, 
	tags TEXT NOT NULL, 
	created_ms BIGINT NOT NULL, 
	updated_ms BIGINT NOT NULL, 
	FOREIGN KEY(app_id) REFERENCES apps (app_id) ON DELETE CASCADE, 
	FOREIGN KEY(branch_id) REFERENCES branches (branch_id) ON DELETE CASCADE, 
	UNIQUE (webhook_id)
);
INSERT INTO "webhooks" VALUES(1,'7596bea0-0afc-41c7-bd43-e0d9854b6fa5','df8xzk7mmkk3x',1,'from the git server',X'15D7A6A1F6AD225AB9E7C8FD25982DD9546E64D26BE2119AD79CA6C800F37D31D985CC4CB5E741F087DA06E57ECDCC888A32E7421B99C6CE2443A363A7A19513CDAE61C0','{}',1795317724859,1795317724859);
CREATE TABLE workers (
	worker_id TEXT NOT NULL, 
	host TEXT NOT NULL, 
	boot_id TEXT NOT NULL, 
	pid INTEGER NOT NULL, 
	pid_start BIGINT NOT NULL, 
	started_ms BIGINT NOT NULL, 
	beat BIGINT DEFAULT '0' NOT NULL, 
	PRIMARY KEY (worker_id)
);
INSERT INTO "workers" VALUES('0123456789abcdef','builder','gone',1,1,1795317724884,0);
CREATE INDEX app_creations_by_scope ON app_creations (account, region, at_ms);
CREATE INDEX apps_by_scope ON apps (account, region, seq);
CREATE INDEX audit_by_app ON audit (app_id, seq);
CREATE INDEX backend_environments_by_app ON backend_environments (app_id, seq);
CREATE INDEX branches_by_app ON branches (app_id, branch_id);
CREATE INDEX domains_by_app ON domains (app_id, domain_id);
CREATE INDEX domains_to_check ON domains (next_check_ms) WHERE next_check_ms IS NOT NULL;
CREATE INDEX jobs_open_by_branch ON jobs (branch_id, number) WHERE ended_ms IS NULL;
CREATE INDEX jobs_open_by_scope ON jobs (account, region, state) WHERE ended_ms IS NULL;
CREATE INDEX subdomains_by_branch ON subdomains (branch_id);
CREATE UNIQUE INDEX subdomains_claimed ON subdomains (host) WHERE claimed = 1;
CREATE INDEX switches_by_branch ON switches (branch_id, seq);
CREATE INDEX webhooks_by_app ON webhooks (app_id, seq);
CREATE INDEX webhooks_by_branch ON webhooks (branch_id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('apps',2);
INSERT INTO "sqlite_sequence" VALUES('branches',4);
INSERT INTO "sqlite_sequence" VALUES('changes',8);
INSERT INTO "sqlite_sequence" VALUES('webhooks',1);
INSERT INTO "sqlite_sequence" VALUES('backend_environments',1);
INSERT INTO "sqlite_sequence" VALUES('domains',1);
INSERT INTO "sqlite_sequence" VALUES('audit',19);
INSERT INTO "sqlite_sequence" VALUES('switches',1);
COMMIT;

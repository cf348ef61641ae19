--
-- PostgreSQL database dump
--



SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: alembic_version; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.alembic_version (
    version_num character varying(32) NOT NULL
);


--
-- Name: app_creations; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.app_creations (
    seq bigint NOT NULL,
    account text NOT NULL,
    region text NOT NULL,
    at_ms bigint NOT NULL
);


--
-- Name: app_creations_seq_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.app_creations_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: app_creations_seq_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.app_creations_seq_seq OWNED BY public.app_creations.seq;


--
-- Name: apps; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.apps (
    seq bigint NOT NULL,
    app_id text NOT NULL,
    account text NOT NULL,
    region text NOT NULL,
    config text NOT NULL,
    tags text NOT NULL,
    access_token_sealed bytea,
    hosting text DEFAULT '{}'::text NOT NULL,
    ssh_key_sealed bytea,
    created_ms bigint NOT NULL,
    updated_ms bigint NOT NULL
);


--
-- Name: apps_seq_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.apps_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: apps_seq_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.apps_seq_seq OWNED BY public.apps.seq;


--
-- Name: artifacts; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.artifacts (
    branch_id bigint NOT NULL,
    number integer NOT NULL,
    ordinal integer NOT NULL,
    kind text NOT NULL,
    file_name text NOT NULL,
    blob text NOT NULL,
    size bigint NOT NULL
);


--
-- Name: attempts; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.attempts (
    branch_id bigint NOT NULL,
    number integer NOT NULL,
    attempt integer NOT NULL,
    worker_id text NOT NULL,
    started_ms bigint NOT NULL,
    ended_ms bigint,
    outcome text
);


--
-- Name: audit; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.audit (
    seq bigint NOT NULL,
    at_ms bigint NOT NULL,
    account text,
    actor text NOT NULL,
    operation text NOT NULL,
    app_id text,
    target text NOT NULL,
    result text NOT NULL,
    request_id text NOT NULL
);


--
-- Name: audit_seq_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.audit_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: audit_seq_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.audit_seq_seq OWNED BY public.audit.seq;


--
-- Name: backend_environments; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.backend_environments (
    seq bigint NOT NULL,
    app_id text NOT NULL,
    name text NOT NULL,
    stack_name text NOT NULL,
    deployment_artifacts text NOT NULL,
    created_ms bigint NOT NULL,
    updated_ms bigint NOT NULL
);


--
-- Name: backend_environments_seq_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.backend_environments_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: backend_environments_seq_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.backend_environments_seq_seq OWNED BY public.backend_environments.seq;


--
-- Name: branches; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.branches (
    branch_id bigint NOT NULL,
    app_id text NOT NULL,
    name text NOT NULL,
    label text NOT NULL,
    config text NOT NULL,
    tags text NOT NULL,
    created_ms bigint NOT NULL,
    updated_ms bigint NOT NULL,
    hosting text DEFAULT '{}'::text NOT NULL,
    last_job integer DEFAULT 0 NOT NULL,
    job_count integer DEFAULT 0 NOT NULL,
    active_job integer,
    active_release text
);


--
-- Name: branches_branch_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.branches_branch_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: branches_branch_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.branches_branch_id_seq OWNED BY public.branches.branch_id;


--
-- Name: changes; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.changes (
    seq bigint NOT NULL,
    app_id text NOT NULL,
    at_ms bigint NOT NULL
);


--
-- Name: changes_seq_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.changes_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: changes_seq_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.changes_seq_seq OWNED BY public.changes.seq;


--
-- Name: domains; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.domains (
    domain_id bigint NOT NULL,
    app_id text NOT NULL,
    name text NOT NULL,
    config text NOT NULL,
    tags text DEFAULT '{}'::text NOT NULL,
    status text NOT NULL,
    update_status text,
    status_reason text,
    verified_ms bigint,
    next_check_ms bigint,
    created_ms bigint NOT NULL,
    updated_ms bigint NOT NULL
);


--
-- Name: domains_domain_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.domains_domain_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: domains_domain_id_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.domains_domain_id_seq OWNED BY public.domains.domain_id;


--
-- Name: jobs; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.jobs (
    branch_id bigint NOT NULL,
    number integer NOT NULL,
    app_id text NOT NULL,
    account text NOT NULL,
    region text NOT NULL,
    type text NOT NULL,
    state text NOT NULL,
    stop_requested_ms bigint,
    reason text,
    commit_id text,
    commit_message text,
    commit_time_ms bigint,
    source_url text,
    source_url_type text,
    created_ms bigint NOT NULL,
    started_ms bigint,
    ended_ms bigint,
    attempt integer DEFAULT 0 NOT NULL,
    worker_id text,
    status_reason text,
    pushed boolean DEFAULT false NOT NULL
);


--
-- Name: keys; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.keys (
    access_key_id text NOT NULL,
    account text NOT NULL,
    name text NOT NULL,
    secret_sealed bytea NOT NULL,
    policy text,
    enabled boolean NOT NULL,
    created_ms bigint NOT NULL
);


--
-- Name: quotas; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.quotas (
    account text NOT NULL,
    region text NOT NULL,
    name text NOT NULL,
    value bigint
);


--
-- Name: releases; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.releases (
    release_id text NOT NULL,
    branch_id bigint NOT NULL,
    job integer NOT NULL,
    manifest_blob text NOT NULL,
    manifest_size bigint NOT NULL,
    file_count integer NOT NULL,
    total_bytes bigint NOT NULL,
    created_ms bigint NOT NULL
);


--
-- Name: secrets; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.secrets (
    app_id text NOT NULL,
    branch text NOT NULL,
    name text NOT NULL,
    value_sealed bytea NOT NULL,
    as_variable boolean NOT NULL,
    updated_ms bigint NOT NULL
);


--
-- Name: steps; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.steps (
    branch_id bigint NOT NULL,
    number integer NOT NULL,
    "position" integer NOT NULL,
    name text NOT NULL,
    attempt integer NOT NULL,
    status text NOT NULL,
    started_ms bigint NOT NULL,
    ended_ms bigint,
    status_reason text,
    context text
);


--
-- Name: subdomains; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.subdomains (
    domain_id bigint NOT NULL,
    prefix text NOT NULL,
    branch_id bigint NOT NULL,
    host text NOT NULL,
    is_auto boolean NOT NULL,
    claimed boolean NOT NULL,
    since_ms bigint NOT NULL,
    verified_ms bigint,
    problem text
);


--
-- Name: switches; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.switches (
    seq bigint NOT NULL,
    branch_id bigint NOT NULL,
    kind text NOT NULL,
    from_job integer,
    to_job integer NOT NULL,
    source_branch text,
    source_job integer,
    actor text NOT NULL,
    at_ms bigint NOT NULL
);


--
-- Name: switches_seq_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.switches_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: switches_seq_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.switches_seq_seq OWNED BY public.switches.seq;


--
-- Name: uploads; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.uploads (
    branch_id bigint NOT NULL,
    number integer NOT NULL,
    ordinal integer NOT NULL,
    path text NOT NULL,
    md5 text,
    blob text,
    size bigint,
    received_ms bigint
);


--
-- Name: webhooks; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.webhooks (
    seq bigint NOT NULL,
    webhook_id text NOT NULL,
    app_id text NOT NULL,
    branch_id bigint NOT NULL,
    description text NOT NULL,
    token_sealed bytea NOT NULL,
    tags text NOT NULL,
    created_ms bigint NOT NULL,
    updated_ms bigint NOT NULL
);


--
-- Name: webhooks_seq_seq; Type: SEQUENCE; Schema: public; Owner: -
--

CREATE SEQUENCE public.webhooks_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;


--
-- Name: webhooks_seq_seq; Type: SEQUENCE OWNED BY; Schema: public; Owner: -
--

ALTER SEQUENCE public.webhooks_seq_seq OWNED BY public.webhooks.seq;


--
-- Name: workers; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.workers (
    worker_id text NOT NULL,
    host text NOT NULL,
    boot_id text NOT NULL,
    pid integer NOT NULL,
    pid_start bigint NOT NULL,
    started_ms bigint NOT NULL,
    beat bigint DEFAULT '0'::bigint NOT NULL
);


--
-- Name: app_creations seq; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.app_creations ALTER COLUMN seq SET DEFAULT nextval('public.app_creations_seq_seq'::regclass);


--
-- Name: apps seq; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.apps ALTER COLUMN seq SET DEFAULT nextval('public.apps_seq_seq'::regclass);


--
-- Name: audit seq; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.audit ALTER COLUMN seq SET DEFAULT nextval('public.audit_seq_seq'::regclass);


--
-- Name: backend_environments seq; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.backend_environments ALTER COLUMN seq SET DEFAULT nextval('public.backend_environments_seq_seq'::regclass);


--
-- Name: branches branch_id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.branches ALTER COLUMN branch_id SET DEFAULT nextval('public.branches_branch_id_seq'::regclass);


--
-- Name: changes seq; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.changes ALTER COLUMN seq SET DEFAULT nextval('public.changes_seq_seq'::regclass);


--
-- Name: domains domain_id; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.domains ALTER COLUMN domain_id SET DEFAULT nextval('public.domains_domain_id_seq'::regclass);


--
-- Name: switches seq; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.switches ALTER COLUMN seq SET DEFAULT nextval('public.switches_seq_seq'::regclass);


--
-- Name: webhooks seq; Type: DEFAULT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.webhooks ALTER COLUMN seq SET DEFAULT nextval('public.webhooks_seq_seq'::regclass);


--
-- Data for Name: alembic_version; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.alembic_version VALUES ('0001');


--
-- Data for Name: app_creations; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.app_creations VALUES (1, '000000000000', 'us-east-1', 1795317724830);
INSERT INTO public.app_creations VALUES (2, '000000000000', 'us-east-1', 1795317725033);


--
-- Data for Name: apps; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.apps VALUES (1, 'df8xzk7mmkk3x', '000000000000', 'us-east-1', '{"name":"site","description":"All kinds of jobs","repository":"https://git.example/site.git","platform":"WEB","iam_service_role_arn":null,"compute_role_arn":null,"environment_variables":{"A":"1","B":"x=y z"},"enable_branch_auto_build":true,"enable_branch_auto_deletion":false,"enable_basic_auth":false,"basic_auth_credentials":null,"custom_rules":[{"source":"/<*>","target":"/index.html","status":"404-200","condition":null}],"build_spec":"version: 1\nfrontend:\n  artifacts:\n    baseDirectory: dist\n    files: [''**/*'']\n","custom_headers":"customHeaders:\n  - pattern: ''**''\n    headers:\n      - key: X-A\n        value: b\n","enable_auto_branch_creation":false,"auto_branch_creation_patterns":[],"auto_branch_creation_config":null,"cache_config":"AMPLIFY_MANAGED","compute_type":"STANDARD_8GB"}', '{"team":"web"}', '\xa5963ed2859f8397cb24019093abf379141485006ced701be522fdd7c7', '{}', NULL, 1795317724830, 1795317724830);
INSERT INTO public.apps VALUES (2, 'dzlpmkcaghha9', '000000000000', 'us-east-1', '{"name":"uploads","description":null,"repository":null,"platform":"WEB","iam_service_role_arn":null,"compute_role_arn":null,"environment_variables":{},"enable_branch_auto_build":false,"enable_branch_auto_deletion":false,"enable_basic_auth":false,"basic_auth_credentials":null,"custom_rules":[],"build_spec":null,"custom_headers":null,"enable_auto_branch_creation":false,"auto_branch_creation_patterns":[],"auto_branch_creation_config":null,"cache_config":"AMPLIFY_MANAGED","compute_type":"STANDARD_8GB"}', '{}', NULL, '{}', NULL, 1795317725033, 1795317725033);


--
-- Data for Name: artifacts; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.artifacts VALUES (1, 1, 0, 'TEST', 'report.json', '1111111111111111111111111111111111111111111111111111111111111111', 10);
INSERT INTO public.artifacts VALUES (1, 2, 0, 'TEST', 'report.json', '1111111111111111111111111111111111111111111111111111111111111111', 10);


--
-- Data for Name: attempts; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.attempts VALUES (1, 1, 1, '0123456789abcdef', 1795317724906, 1795317724912, 'FINISHED');
INSERT INTO public.attempts VALUES (1, 2, 1, '0123456789abcdef', 1795317724940, 1795317724944, 'FINISHED');
INSERT INTO public.attempts VALUES (1, 3, 1, '0123456789abcdef', 1795317724964, 1795317724968, 'FINISHED');
INSERT INTO public.attempts VALUES (1, 4, 1, '0123456789abcdef', 1795317724987, 1795317724999, 'FINISHED');
INSERT INTO public.attempts VALUES (1, 5, 1, '0123456789abcdef', 1795317725026, NULL, NULL);


--
-- Data for Name: audit; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.audit VALUES (1, 1795317724835, '000000000000', 'AKIAAKI5KDGPVZEECBEY', 'CreateApp', 'df8xzk7mmkk3x', 'name=site', 'OK', 'd73136c0-ba6b-48ab-9c42-1d919c3b7894');
INSERT INTO public.audit VALUES (2, 1795317724848, '000000000000', 'AKIAAKI5KDGPVZEECBEY', 'CreateBranch', 'df8xzk7mmkk3x', 'branchName=main', 'OK', '72286852-f209-4eb4-b18c-7a0108e283c4');
INSERT INTO public.audit VALUES (3, 1795317724856, '000000000000', 'AKIAAKI5KDGPVZEECBEY', 'CreateBranch', 'df8xzk7mmkk3x', 'branchName=feature/one', 'OK', '7d6beca4-ce74-4805-8975-c1eb67642b91');
INSERT INTO public.audit VALUES (4, 1795317724866, '000000000000', 'AKIAAKI5KDGPVZEECBEY', 'CreateWebhook', 'df8xzk7mmkk3x', 'branchName=main', 'OK', '4ae92f19-f311-4f8f-994e-0417972a1591');
INSERT INTO public.audit VALUES (5, 1795317724871, '000000000000', 'AKIAAKI5KDGPVZEECBEY', 'CreateBackendEnvironment', 'df8xzk7mmkk3x', 'environmentName=staging', 'OK', '4ba61c10-ef3b-43a7-8af9-610bc34a0b25');
INSERT INTO public.audit VALUES (6, 1795317724883, '000000000000', 'AKIAAKI5KDGPVZEECBEY', 'CreateDomainAssociation', 'df8xzk7mmkk3x', 'domainName=example.com', 'OK', '466a7f2d-7bb5-4fe2-becc-86e5b3770de5');
INSERT INTO public.audit VALUES (7, 1795317724900, '000000000000', 'AKIAAKI5KDGPVZEECBEY', 'StartJob', 'df8xzk7mmkk3x', 'branchName=main', 'OK', 'd88f896f-f6ef-4910-9377-442093fad952');
INSERT INTO public.audit VALUES (8, 1795317724929, '000000000000', 'AKIAAKI5KDGPVZEECBEY', 'StartJob', 'df8xzk7mmkk3x', 'branchName=main', 'OK', 'f955377e-8c58-46d0-acb4-d68877ed6f5c');
INSERT INTO public.audit VALUES (9, 1795317724959, '000000000000', 'AKIAAKI5KDGPVZEECBEY', 'StartJob', 'df8xzk7mmkk3x', 'branchName=main', 'OK', '2c72c117-d7dc-4791-8787-a95da25b6eeb');
INSERT INTO public.audit VALUES (10, 1795317724981, '000000000000', 'AKIAAKI5KDGPVZEECBEY', 'StartJob', 'df8xzk7mmkk3x', 'branchName=main', 'OK', 'f8078dc1-1903-45f3-bc6e-a6258652a5f9');
INSERT INTO public.audit VALUES (11, 1795317724998, '000000000000', 'AKIAAKI5KDGPVZEECBEY', 'StopJob', 'df8xzk7mmkk3x', 'branchName=main jobId=4', 'OK', '4a43602d-3da0-4add-b3d6-a15dd7874784');
INSERT INTO public.audit VALUES (12, 1795317725008, '000000000000', 'AKIAAKI5KDGPVZEECBEY', '/_preamp/rollback', 'df8xzk7mmkk3x', 'branch=main', 'OK', '');
INSERT INTO public.audit VALUES (13, 1795317725021, '000000000000', 'AKIAAKI5KDGPVZEECBEY', 'StartJob', 'df8xzk7mmkk3x', 'branchName=main', 'OK', '3af5bc6c-1225-4e3f-9623-9d901a68df88');
INSERT INTO public.audit VALUES (14, 1795317725036, '000000000000', 'AKIAAKI5KDGPVZEECBEY', 'CreateApp', 'dzlpmkcaghha9', 'name=uploads', 'OK', '09ef4d12-63ae-4601-9722-30b1fc561664');
INSERT INTO public.audit VALUES (15, 1795317725046, '000000000000', 'AKIAAKI5KDGPVZEECBEY', 'CreateBranch', 'dzlpmkcaghha9', 'branchName=main', 'OK', 'a35011b9-2c47-4b59-ba27-bbd7673f740b');
INSERT INTO public.audit VALUES (16, 1795317725052, '000000000000', 'AKIAAKI5KDGPVZEECBEY', 'CreateDeployment', 'dzlpmkcaghha9', 'branchName=main', 'OK', 'b497b12f-dd40-4828-92c7-ad742a91bd70');
INSERT INTO public.audit VALUES (17, 1795317725059, '000000000000', 'AKIAAKI5KDGPVZEECBEY', 'CreateBranch', 'df8xzk7mmkk3x', 'branchName=gone', 'OK', 'bf4bc85a-33be-4199-a947-4d330444c531');
INSERT INTO public.audit VALUES (18, 1795317725066, '000000000000', 'AKIAAKI5KDGPVZEECBEY', 'StartJob', 'df8xzk7mmkk3x', 'branchName=gone', 'OK', '456436c3-8521-4a00-8c8e-d3f6bbaef689');
INSERT INTO public.audit VALUES (19, 1795317725072, '000000000000', 'AKIAAKI5KDGPVZEECBEY', 'DeleteBranch', 'df8xzk7mmkk3x', 'branchName=gone', 'OK', '914ab64f-b971-4768-895b-47396fcd4f93');


--
-- Data for Name: backend_environments; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.backend_environments VALUES (1, 'df8xzk7mmkk3x', 'staging', 'amplify-df8xzk7mmkk3x-staging', 'amplify-df8xzk7mmkk3x-staging-deployment', 1795317724868, 1795317724868);


--
-- Data for Name: branches; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.branches VALUES (1, 'df8xzk7mmkk3x', 'main', 'main', '{"description":null,"stage":"PRODUCTION","display_name":null,"framework":null,"enable_notification":false,"enable_auto_build":true,"enable_skew_protection":true,"environment_variables":{"C":"2"},"enable_basic_auth":true,"basic_auth_credentials":"dTpw","enable_performance_mode":false,"build_spec":null,"ttl":"5","enable_pull_request_preview":false,"pull_request_environment_name":null,"backend_environment_arn":null,"backend_stack_arn":null,"compute_role_arn":null}', '{"branch":"yes"}', 1795317724843, 1795317724843, '{}', 6, 6, 1, 'b6ad423b9380c00b');
INSERT INTO public.branches VALUES (2, 'df8xzk7mmkk3x', 'feature/one', 'feature-one', '{"description":null,"stage":"NONE","display_name":null,"framework":null,"enable_notification":false,"enable_auto_build":true,"enable_skew_protection":false,"environment_variables":{},"enable_basic_auth":null,"basic_auth_credentials":null,"enable_performance_mode":false,"build_spec":null,"ttl":"60","enable_pull_request_preview":false,"pull_request_environment_name":null,"backend_environment_arn":null,"backend_stack_arn":null,"compute_role_arn":null}', '{}', 1795317724851, 1795317724851, '{}', 0, 0, NULL, NULL);
INSERT INTO public.branches VALUES (3, 'dzlpmkcaghha9', 'main', 'main', '{"description":null,"stage":"NONE","display_name":null,"framework":null,"enable_notification":false,"enable_auto_build":true,"enable_skew_protection":false,"environment_variables":{},"enable_basic_auth":null,"basic_auth_credentials":null,"enable_performance_mode":false,"build_spec":null,"ttl":"5","enable_pull_request_preview":false,"pull_request_environment_name":null,"backend_environment_arn":null,"backend_stack_arn":null,"compute_role_arn":null}', '{}', 1795317725043, 1795317725043, '{}', 1, 1, NULL, NULL);


--
-- Data for Name: changes; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.changes VALUES (1, 'df8xzk7mmkk3x', 1795317724843);
INSERT INTO public.changes VALUES (2, 'df8xzk7mmkk3x', 1795317724851);
INSERT INTO public.changes VALUES (3, 'df8xzk7mmkk3x', 1795317724912);
INSERT INTO public.changes VALUES (4, 'df8xzk7mmkk3x', 1795317724944);
INSERT INTO public.changes VALUES (5, 'df8xzk7mmkk3x', 1795317725003);
INSERT INTO public.changes VALUES (6, 'dzlpmkcaghha9', 1795317725043);
INSERT INTO public.changes VALUES (7, 'df8xzk7mmkk3x', 1795317725056);
INSERT INTO public.changes VALUES (8, 'df8xzk7mmkk3x', 1795317725071);


--
-- Data for Name: domains; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.domains VALUES (1, 'df8xzk7mmkk3x', 'example.com', '{"enable_auto_sub_domain":false,"auto_patterns":[],"auto_iam_role":null,"certificate_type":"AMPLIFY_MANAGED","custom_certificate_arn":null}', '{}', 'CREATING', NULL, NULL, NULL, 1795317724873, 1795317724873, 1795317724873);


--
-- Data for Name: jobs; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.jobs VALUES (1, 1, 'df8xzk7mmkk3x', '000000000000', 'us-east-1', 'RELEASE', 'SUCCEED', NULL, NULL, 'c0ffee', NULL, 1795317724896, NULL, NULL, 1795317724896, 1795317724896, 1795317724912, 1, '0123456789abcdef', NULL, false);
INSERT INTO public.jobs VALUES (1, 2, 'df8xzk7mmkk3x', '000000000000', 'us-east-1', 'RELEASE', 'SUCCEED', NULL, NULL, 'c0ffee', NULL, 1795317724924, NULL, NULL, 1795317724924, 1795317724924, 1795317724944, 1, '0123456789abcdef', NULL, false);
INSERT INTO public.jobs VALUES (1, 3, 'df8xzk7mmkk3x', '000000000000', 'us-east-1', 'RELEASE', 'FAILED', NULL, NULL, 'c0ffee', NULL, 1795317724955, NULL, NULL, 1795317724955, 1795317724955, 1795317724968, 1, '0123456789abcdef', 'It''s "broken"
really: 100 % ü', false);
INSERT INTO public.jobs VALUES (1, 4, 'df8xzk7mmkk3x', '000000000000', 'us-east-1', 'RELEASE', 'CANCELLED', 1795317724994, NULL, 'c0ffee', NULL, 1795317724978, NULL, NULL, 1795317724978, 1795317724978, 1795317724999, 1, '0123456789abcdef', 'stopped', false);
INSERT INTO public.jobs VALUES (1, 5, 'df8xzk7mmkk3x', '000000000000', 'us-east-1', 'RELEASE', 'RUNNING', NULL, NULL, 'c0ffee', NULL, 1795317725018, NULL, NULL, 1795317725018, 1795317725018, NULL, 1, '0123456789abcdef', NULL, false);
INSERT INTO public.jobs VALUES (1, 6, 'df8xzk7mmkk3x', '000000000000', 'us-east-1', 'RELEASE', 'PENDING', NULL, NULL, 'HEAD', NULL, NULL, NULL, NULL, 1795317725029, 1795317725029, NULL, 0, NULL, NULL, true);
INSERT INTO public.jobs VALUES (3, 1, 'dzlpmkcaghha9', '000000000000', 'us-east-1', 'MANUAL', 'CREATED', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1795317725049, NULL, NULL, 0, NULL, NULL, false);


--
-- Data for Name: keys; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.keys VALUES ('AKIAAKI5KDGPVZEECBEY', '000000000000', 'administrator', '\xb5b170a40813aa62c6e47229c28a701c8d7c70bb4baa842006f0c76e9aa6912f9fc2c012d5d456cef04d50d93d62bb5b6c9338cc6cc9fbbd1689b777a00f88d3cf016ffa', NULL, true, 1795317724714);
INSERT INTO public.keys VALUES ('AKIAA3ZIPQKCQOBSWDSR', '000000000000', 'reader', '\xd289560605428f4880983fbfa9399da7d16a47a27d5c8e1017c8949d1ee07c07ea494e1aa085b4bda2589615a08ae36124dee071e46736ae2fe956f28f225a0dd438c3f1', '{"Version": "2012-10-17", "Statement": []}', true, 1795317724821);


--
-- Data for Name: quotas; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.quotas VALUES ('000000000000', 'us-east-1', 'concurrent-jobs', 7);


--
-- Data for Name: releases; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.releases VALUES ('b6ad423b9380c00b', 1, 1, 'deb834fad335189cbc296b2f99d8d67d58a2eb2f0f3b1eb9269321c5956d32cb', 84, 3, 4096, 1795317724912);
INSERT INTO public.releases VALUES ('fbeabe350339f109', 1, 2, 'deb834fad335189cbc296b2f99d8d67d58a2eb2f0f3b1eb9269321c5956d32cb', 84, 3, 4096, 1795317724944);


--
-- Data for Name: secrets; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.secrets VALUES ('df8xzk7mmkk3x', '', 'TOKEN', '\x5a2342c758b9168ea9d5e91963cb1a31cdcdb4b1e465b15cf2784f7da2', true, 1795317724886);


--
-- Data for Name: steps; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.steps VALUES (1, 1, 0, 'BUILD', 1, 'SUCCEED', 1795317724908, 1795317724909, NULL, NULL);
INSERT INTO public.steps VALUES (1, 1, 2, 'DEPLOY', 1, 'SUCCEED', 1795317724909, 1795317724912, NULL, '{}');
INSERT INTO public.steps VALUES (1, 2, 0, 'BUILD', 1, 'SUCCEED', 1795317724941, 1795317724942, NULL, NULL);
INSERT INTO public.steps VALUES (1, 2, 2, 'DEPLOY', 1, 'SUCCEED', 1795317724942, 1795317724944, NULL, '{}');
INSERT INTO public.steps VALUES (1, 3, 0, 'BUILD', 1, 'SUCCEED', 1795317724966, 1795317724966, NULL, NULL);
INSERT INTO public.steps VALUES (1, 3, 2, 'DEPLOY', 1, 'FAILED', 1795317724967, 1795317724968, 'It''s "broken"
really: 100 % ü', '{}');
INSERT INTO public.steps VALUES (1, 4, 0, 'BUILD', 1, 'SUCCEED', 1795317724989, 1795317724989, NULL, NULL);
INSERT INTO public.steps VALUES (1, 4, 2, 'DEPLOY', 1, 'CANCELLED', 1795317724989, 1795317724999, 'stopped', '{}');
INSERT INTO public.steps VALUES (1, 5, 0, 'BUILD', 1, 'SUCCEED', 1795317725027, 1795317725028, NULL, NULL);
INSERT INTO public.steps VALUES (1, 5, 2, 'DEPLOY', 1, 'RUNNING', 1795317725028, NULL, NULL, '{}');


--
-- Data for Name: subdomains; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.subdomains VALUES (1, '', 1, 'example.com', false, true, 1795317724873, NULL, NULL);
INSERT INTO public.subdomains VALUES (1, 'one', 2, 'one.example.com', false, true, 1795317724873, NULL, NULL);


--
-- Data for Name: switches; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.switches VALUES (1, 1, 'ROLLBACK', 2, 1, NULL, NULL, 'AKIAAKI5KDGPVZEECBEY', 1795317725003);


--
-- Data for Name: uploads; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.uploads VALUES (3, 1, 0, 'index.html', '00000000000000000000000000000000', NULL, NULL, NULL);


--
-- Data for Name: webhooks; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.webhooks VALUES (1, '7596bea0-0afc-41c7-bd43-e0d9854b6fa5', 'df8xzk7mmkk3x', 1, 'from the git server', '\x15d7a6a1f6ad225ab9e7c8fd25982dd9546e64d26be2119ad79ca6c800f37d31d985cc4cb5e741f087da06e57ecdcc888a32e7421b99c6ce2443a363a7a19513cdae61c0', '{}', 1795317724859, 1795317724859);


--
-- Data for Name: workers; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.workers VALUES ('0123456789abcdef', 'builder', 'gone', 1, 1, 1795317724884, 0);


--
-- Name: app_creations_seq_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.app_creations_seq_seq', 3, false);


--
-- Name: apps_seq_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.apps_seq_seq', 3, false);


--
-- Name: audit_seq_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.audit_seq_seq', 20, false);


--
-- Name: backend_environments_seq_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.backend_environments_seq_seq', 2, false);


--
-- Name: branches_branch_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.branches_branch_id_seq', 4, false);


--
-- Name: changes_seq_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.changes_seq_seq', 9, false);


--
-- Name: domains_domain_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.domains_domain_id_seq', 2, false);


--
-- Name: switches_seq_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.switches_seq_seq', 2, false);


--
-- Name: webhooks_seq_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.webhooks_seq_seq', 2, false);


--
-- Name: alembic_version alembic_version_pkc; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);


--
-- Name: app_creations app_creations_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.app_creations
    ADD CONSTRAINT app_creations_pkey PRIMARY KEY (seq);


--
-- Name: apps apps_app_id_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.apps
    ADD CONSTRAINT apps_app_id_key UNIQUE (app_id);


--
-- Name: apps apps_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.apps
    ADD CONSTRAINT apps_pkey PRIMARY KEY (seq);


--
-- Name: artifacts artifacts_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.artifacts
    ADD CONSTRAINT artifacts_pkey PRIMARY KEY (branch_id, number, ordinal);


--
-- Name: attempts attempts_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT attempts_pkey PRIMARY KEY (branch_id, number, attempt);


--
-- Name: audit audit_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.audit
    ADD CONSTRAINT audit_pkey PRIMARY KEY (seq);


--
-- Name: backend_environments backend_environments_by_name; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.backend_environments
    ADD CONSTRAINT backend_environments_by_name UNIQUE (app_id, name);


--
-- Name: backend_environments backend_environments_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.backend_environments
    ADD CONSTRAINT backend_environments_pkey PRIMARY KEY (seq);


--
-- Name: branches branches_by_label; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.branches
    ADD CONSTRAINT branches_by_label UNIQUE (app_id, label);


--
-- Name: branches branches_by_name; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.branches
    ADD CONSTRAINT branches_by_name UNIQUE (app_id, name);


--
-- Name: branches branches_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.branches
    ADD CONSTRAINT branches_pkey PRIMARY KEY (branch_id);


--
-- Name: changes changes_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.changes
    ADD CONSTRAINT changes_pkey PRIMARY KEY (seq);


--
-- Name: domains domains_by_name; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.domains
    ADD CONSTRAINT domains_by_name UNIQUE (app_id, name);


--
-- Name: domains domains_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.domains
    ADD CONSTRAINT domains_pkey PRIMARY KEY (domain_id);


--
-- Name: jobs jobs_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_pkey PRIMARY KEY (branch_id, number);


--
-- Name: keys keys_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.keys
    ADD CONSTRAINT keys_pkey PRIMARY KEY (access_key_id);


--
-- Name: quotas quotas_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.quotas
    ADD CONSTRAINT quotas_pkey PRIMARY KEY (account, region, name);


--
-- Name: releases releases_by_job; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.releases
    ADD CONSTRAINT releases_by_job UNIQUE (branch_id, job);


--
-- Name: releases releases_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.releases
    ADD CONSTRAINT releases_pkey PRIMARY KEY (release_id);


--
-- Name: secrets secrets_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.secrets
    ADD CONSTRAINT secrets_pkey PRIMARY KEY (app_id, branch, name);


--
-- Name: steps steps_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.steps
    ADD CONSTRAINT steps_pkey PRIMARY KEY (branch_id, number, "position");


--
-- Name: subdomains subdomains_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.subdomains
    ADD CONSTRAINT subdomains_pkey PRIMARY KEY (domain_id, prefix);


--
-- Name: switches switches_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.switches
    ADD CONSTRAINT switches_pkey PRIMARY KEY (seq);


--
-- Name: uploads uploads_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.uploads
    ADD CONSTRAINT uploads_pkey PRIMARY KEY (branch_id, number, ordinal);


--
-- Name: webhooks webhooks_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.webhooks
    ADD CONSTRAINT webhooks_pkey PRIMARY KEY (seq);


--
-- Name: webhooks webhooks_webhook_id_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.webhooks
    ADD CONSTRAINT webhooks_webhook_id_key UNIQUE (webhook_id);


--
-- Name: workers workers_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.workers
    ADD CONSTRAINT workers_pkey PRIMARY KEY (worker_id);


--
-- Name: app_creations_by_scope; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX app_creations_by_scope ON public.app_creations USING btree (account, region, at_ms);


--
-- Name: apps_by_scope; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX apps_by_scope ON public.apps USING btree (account, region, seq);


--
-- Name: audit_by_app; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX audit_by_app ON public.audit USING btree (app_id, seq);


--
-- Name: backend_environments_by_app; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX backend_environments_by_app ON public.backend_environments USING btree (app_id, seq);


--
-- Name: branches_by_app; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX branches_by_app ON public.branches USING btree (app_id, branch_id);


--
-- Name: domains_by_app; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX domains_by_app ON public.domains USING btree (app_id, domain_id);


--
-- Name: domains_to_check; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX domains_to_check ON public.domains USING btree (next_check_ms) WHERE (next_check_ms IS NOT NULL);


--
-- Name: jobs_open_by_branch; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX jobs_open_by_branch ON public.jobs USING btree (branch_id, number) WHERE (ended_ms IS NULL);


--
-- Name: jobs_open_by_scope; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX jobs_open_by_scope ON public.jobs USING btree (account, region, state) WHERE (ended_ms IS NULL);


--
-- Name: subdomains_by_branch; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX subdomains_by_branch ON public.subdomains USING btree (branch_id);


--
-- Name: subdomains_claimed; Type: INDEX; Schema: public; Owner: -
--

CREATE UNIQUE INDEX subdomains_claimed ON public.subdomains USING btree (host) WHERE claimed;


--
-- Name: switches_by_branch; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX switches_by_branch ON public.switches USING btree (branch_id, seq);


--
-- Name: webhooks_by_app; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX webhooks_by_app ON public.webhooks USING btree (app_id, seq);


--
-- Name: webhooks_by_branch; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX webhooks_by_branch ON public.webhooks USING btree (branch_id);


--
-- Name: artifacts artifacts_branch_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.artifacts
    ADD CONSTRAINT artifacts_branch_id_fkey FOREIGN KEY (branch_id) REFERENCES public.branches(branch_id) ON DELETE CASCADE;


--
-- Name: backend_environments backend_environments_app_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.backend_environments
    ADD CONSTRAINT backend_environments_app_id_fkey FOREIGN KEY (app_id) REFERENCES public.apps(app_id) ON DELETE CASCADE;


--
-- Name: branches branches_app_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.branches
    ADD CONSTRAINT branches_app_id_fkey FOREIGN KEY (app_id) REFERENCES public.apps(app_id) ON DELETE CASCADE;


--
-- Name: domains domains_app_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.domains
    ADD CONSTRAINT domains_app_id_fkey FOREIGN KEY (app_id) REFERENCES public.apps(app_id) ON DELETE CASCADE;


--
-- Name: jobs jobs_branch_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_branch_id_fkey FOREIGN KEY (branch_id) REFERENCES public.branches(branch_id) ON DELETE CASCADE;


--
-- Name: releases releases_branch_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.releases
    ADD CONSTRAINT releases_branch_id_fkey FOREIGN KEY (branch_id) REFERENCES public.branches(branch_id) ON DELETE CASCADE;


--
-- Name: secrets secrets_app_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.secrets
    ADD CONSTRAINT secrets_app_id_fkey FOREIGN KEY (app_id) REFERENCES public.apps(app_id) ON DELETE CASCADE;


--
-- Name: subdomains subdomains_branch_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.subdomains
    ADD CONSTRAINT subdomains_branch_id_fkey FOREIGN KEY (branch_id) REFERENCES public.branches(branch_id) ON DELETE CASCADE;


--
-- Name: subdomains subdomains_domain_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.subdomains
    ADD CONSTRAINT subdomains_domain_id_fkey FOREIGN KEY (domain_id) REFERENCES public.domains(domain_id) ON DELETE CASCADE;


--
-- Name: switches switches_branch_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.switches
    ADD CONSTRAINT switches_branch_id_fkey FOREIGN KEY (branch_id) REFERENCES public.branches(branch_id) ON DELETE CASCADE;


--
-- Name: uploads uploads_branch_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.uploads
    ADD CONSTRAINT uploads_branch_id_fkey FOREIGN KEY (branch_id) REFERENCES public.branches(branch_id) ON DELETE CASCADE;


--
-- Name: webhooks webhooks_app_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.webhooks
    ADD CONSTRAINT webhooks_app_id_fkey FOREIGN KEY (app_id) REFERENCES public.apps(app_id) ON DELETE CASCADE;


--
-- Name: webhooks webhooks_branch_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.webhooks
    ADD CONSTRAINT webhooks_branch_id_fkey FOREIGN KEY (branch_id) REFERENCES public.branches(branch_id) ON DELETE CASCADE;


--
-- PostgreSQL database dump complete
--



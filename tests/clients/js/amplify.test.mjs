// What a program on the JavaScript SDK does. Endpoint, key and region come from the environment, as for AWS.
// Run by tests/acceptance/test_clients_javascript.py.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import {
  AmplifyClient,
  AmplifyServiceException,
  BadRequestException,
  CreateAppCommand,
  CreateBranchCommand,
  CreateDeploymentCommand,
  DeleteAppCommand,
  DeleteJobCommand,
  GetAppCommand,
  GetBranchCommand,
  GetJobCommand,
  LimitExceededException,
  ListJobsCommand,
  ListTagsForResourceCommand,
  NotFoundException,
  ResourceNotFoundException,
  StartDeploymentCommand,
  StartJobCommand,
  StopJobCommand,
  TagResourceCommand,
  UpdateAppCommand,
  paginateListApps,
  paginateListJobs,
} from "@aws-sdk/client-amplify";

const repository = process.env.TEST_REPOSITORY;
const client = new AmplifyClient({ maxAttempts: 1 });
const send = (command) => client.send(command);
const TERMINAL = new Set(["SUCCEED", "FAILED", "CANCELLED"]);

let appId;

before(async () => {
  appId = await newApp("site", { repository });
  await send(new CreateBranchCommand({ appId, branchName: "main" }));
});

after(() => client.destroy());

async function newApp(name, more = {}) {
  const { app } = await send(new CreateAppCommand({ name, ...more }));
  return app.appId;
}

async function finished(appId, branchName, jobId) {
  for (;;) {
    const { job } = await send(new GetJobCommand({ appId, branchName, jobId }));
    if (TERMINAL.has(job.summary.status)) return job;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

test("an app comes back as it was given, with dates that are dates", async () => {
  const began = Date.now();
  const { app, $metadata } = await send(
    new CreateAppCommand({
      name: "typed",
      environmentVariables: { MODE: "test", EMPTY: "" },
      customRules: [{ source: "/<*>", target: "/404.html", status: "404" }],
      tags: { team: "web" },
    }),
  );
  assert.equal($metadata.httpStatusCode, 200);
  assert.match($metadata.requestId, /^[0-9a-f-]{36}$/);
  assert.ok(app.createTime instanceof Date);
  assert.ok(Math.abs(app.createTime.getTime() - began) < 60_000, app.createTime.toISOString());
  assert.deepEqual(app.environmentVariables, { MODE: "test", EMPTY: "" });
  assert.deepEqual(app.customRules, [{ source: "/<*>", target: "/404.html", status: "404" }]);
  assert.equal(app.productionBranch, undefined);

  const read = await send(new GetAppCommand({ appId: app.appId }));
  assert.deepEqual(read.app, app);
  const whole = await send(new UpdateAppCommand({ ...read.app, description: "fed back" }));
  assert.equal(whole.app.description, "fed back");
  assert.ok(whole.app.updateTime >= app.updateTime);

  await send(new TagResourceCommand({ resourceArn: app.appArn, tags: { cost: "42" } }));
  const { tags } = await send(new ListTagsForResourceCommand({ resourceArn: app.appArn }));
  assert.deepEqual(tags, { team: "web", cost: "42" });
  await send(new DeleteAppCommand({ appId: app.appId }));
});

test("a branch with a slash is one path segment", async () => {
  await send(new CreateBranchCommand({ appId, branchName: "feature/foo bar" }));
  const { branch } = await send(new GetBranchCommand({ appId, branchName: "feature/foo bar" }));
  assert.equal(branch.branchName, "feature/foo bar");
  assert.ok(branch.branchArn.endsWith("/branches/feature/foo bar"));
});

test("a job from StartJob to DeleteJob", async () => {
  const { jobSummary } = await send(
    new StartJobCommand({
      appId,
      branchName: "main",
      jobType: "RELEASE",
      commitTime: new Date("2026-01-02T03:04:05.678Z"),
    }),
  );
  assert.equal(jobSummary.jobId, "1");
  assert.equal(jobSummary.commitTime.toISOString(), "2026-01-02T03:04:05.678Z");
  assert.ok(["PENDING", "RUNNING"].includes(jobSummary.status), jobSummary.status);
  await assert.rejects(
    send(new StartJobCommand({ appId, branchName: "main", jobType: "RELEASE" })),
    LimitExceededException,
  );

  const job = await finished(appId, "main", "1");
  assert.equal(job.summary.status, "SUCCEED");
  assert.deepEqual(job.steps.map((step) => step.stepName), ["BUILD", "DEPLOY", "VERIFY"]);
  for (const step of job.steps) {
    assert.ok(step.endTime instanceof Date && step.startTime instanceof Date);
    assert.ok(step.endTime >= step.startTime);
  }
  const log = await fetch(job.steps[0].logUrl);
  assert.equal(log.status, 200);
  assert.match(await log.text(), /cp index\.html dist\//);

  await send(new StartJobCommand({ appId, branchName: "main", jobType: "RETRY", jobId: "1" }));
  await finished(appId, "main", "2");
  const listed = [];
  for await (const page of paginateListJobs({ client, pageSize: 1 }, { appId, branchName: "main" })) {
    assert.ok(page.jobSummaries.length <= 1);
    listed.push(...page.jobSummaries.map((one) => one.jobId));
  }
  assert.deepEqual(listed, ["2", "1"]);

  const gone = await send(new DeleteJobCommand({ appId, branchName: "main", jobId: "1" }));
  assert.equal(gone.jobSummary.jobId, "1");
  const { jobSummaries } = await send(new ListJobsCommand({ appId, branchName: "main" }));
  assert.deepEqual(jobSummaries.map((one) => one.jobId), ["2"]);
});

test("a manual deployment is uploaded with fetch", async () => {
  await assert.rejects(send(new CreateDeploymentCommand({ appId, branchName: "main" })), BadRequestException);
  const manual = await newApp("manual");
  await send(new CreateBranchCommand({ appId: manual, branchName: "manual" }));
  const content = "<h1>by hand</h1>";
  const { createHash } = await import("node:crypto");
  const sum = createHash("md5").update(content).digest("hex");
  const made = await send(
    new CreateDeploymentCommand({ appId: manual, branchName: "manual", fileMap: { "index.html": sum } }),
  );
  const put = await fetch(made.fileUploadUrls["index.html"], { method: "PUT", body: content });
  assert.equal(put.status, 200);
  await send(new StartDeploymentCommand({ appId: manual, branchName: "manual", jobId: made.jobId }));
  const job = await finished(manual, "manual", made.jobId);
  assert.equal(job.summary.status, "SUCCEED");
});

test("ListApps is paginated", async () => {
  const names = ["one", "two", "three"];
  for (const name of names) await newApp(name);
  const found = [];
  let pages = 0;
  for await (const page of paginateListApps({ client, pageSize: 2 }, {})) {
    pages += 1;
    found.push(...page.apps.map((app) => app.name));
  }
  assert.ok(pages >= 2);
  assert.deepEqual(found.filter((name) => names.includes(name)), names);
});

test("errors are the SDK's own classes", async () => {
  const expected = [
    [new GetAppCommand({ appId: "d0000000000000" }), NotFoundException, 404],
    [new DeleteJobCommand({ appId, branchName: "main", jobId: "99" }), NotFoundException, 404],
    [new StopJobCommand({ appId, branchName: "none", jobId: "1" }), NotFoundException, 404],
    [new CreateAppCommand({ name: "x".repeat(256) }), BadRequestException, 400],
    [new StartJobCommand({ appId, branchName: "main", jobType: "MANUAL" }), BadRequestException, 400],
    [new ListJobsCommand({ appId, branchName: "main", nextToken: "AAAA" }), BadRequestException, 400],
    [
      new ListTagsForResourceCommand({ resourceArn: "arn:aws:amplify:us-east-1:000000000000:apps/d0" }),
      ResourceNotFoundException,
      404,
    ],
  ];
  for (const [command, type, status] of expected) {
    await assert.rejects(send(command), (error) => {
      assert.ok(error instanceof type, `${command.constructor.name}: ${error.name}: ${error.message}`);
      assert.ok(error instanceof AmplifyServiceException);
      assert.equal(error.$metadata.httpStatusCode, status);
      assert.ok(error.message.length > 0);
      return true;
    });
  }
});

test("a wrong secret is refused", async () => {
  const stranger = new AmplifyClient({
    maxAttempts: 1,
    credentials: { accessKeyId: process.env.AWS_ACCESS_KEY_ID, secretAccessKey: "wrong" },
  });
  await assert.rejects(stranger.send(new GetAppCommand({ appId })), (error) => {
    assert.equal(error.name, "InvalidSignatureException");
    assert.equal(error.$metadata.httpStatusCode, 403);
    return true;
  });
  stranger.destroy();
});

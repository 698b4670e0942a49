import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type PackagedService, packageService, SECRETS } from "./package-service.ts";

let service: PackagedService;

beforeAll(async () => {
  service = await packageService();
});

afterAll(() => service[Symbol.asyncDispose]());

const properties = (id: string): Readonly<Record<string, unknown>> => service.resources[id]?.Properties ?? {};
const ofType = (type: string): string[] =>
  Object.keys(service.resources).filter((id) => service.resources[id]?.Type === type);

test("the template packages offline, one zip for each function with nothing but its bundle", async () => {
  for (const name of ["drain", "api", "job"]) {
    const { files } = await service.unpack(name);
    const bundle = `dist/functions/aws/${name}.js`;
    expect(files).toEqual([bundle, `${bundle}.map`, "dist/functions/aws/package.json"].toSorted());
    const lambda = properties(`${name[0]?.toUpperCase()}${name.slice(1)}LambdaFunction`);
    expect(lambda).toMatchObject({
      FunctionName: `airlift-dev-${name}`,
      Handler: `dist/functions/aws/${name}.handler`,
      Runtime: "nodejs24.x",
      Architectures: ["arm64"],
      LoggingConfig: { LogFormat: "JSON" },
    });
  }
});

test("the schedule drains each minute, and a tick that fails or finds no room is not repeated", () => {
  expect(ofType("AWS::Events::Rule").map(properties)).toEqual([
    {
      Description: "A tick of Airlift",
      ScheduleExpression: "rate(1 minute)",
      State: "ENABLED",
      Targets: [{ Arn: { "Fn::GetAtt": ["DrainLambdaFunction", "Arn"] }, Id: "drainSchedule" }],
    },
  ]);
  expect(properties("DrainLambdaFunction")).toMatchObject({ Timeout: 300, MemorySize: 512 });
  expect(properties("DrainLambdaEvConf")).toMatchObject({ MaximumRetryAttempts: 0, MaximumEventAgeInSeconds: 60 });
});

test("the HTTP API gives every route to its function, whose time ends before that of the API", () => {
  expect(ofType("AWS::ApiGatewayV2::Route").map((id) => properties(id)["RouteKey"])).toEqual(["$default"]);
  expect(properties("HttpApiIntegrationApi")).toMatchObject({ PayloadFormatVersion: "2.0", TimeoutInMillis: 30_000 });
  expect(properties("ApiLambdaFunction")).toMatchObject({ Timeout: 29 });
});

test("each function is given the secrets that it needs, and no others", () => {
  const { UPSTASH_REDIS_REST_URL, UPSTASH_REDIS_REST_TOKEN } = SECRETS;
  const shared = { NODE_OPTIONS: "--enable-source-maps" };
  const app = {
    ...shared,
    ...{ UPSTASH_REDIS_REST_URL, UPSTASH_REDIS_REST_TOKEN },
    ...{ DRAIN_FUNCTION: "airlift-dev-drain", JOB_FUNCTION: "airlift-dev-job" },
  };
  const environment = (id: string): unknown => Object(properties(id)["Environment"]).Variables;
  expect(environment("DrainLambdaFunction")).toEqual(app);
  expect(environment("ApiLambdaFunction")).toEqual({ ...app, ...SECRETS });
  expect(environment("JobLambdaFunction")).toEqual(shared);
});

test("each function may write its own log and invoke what it needs, and nothing else", () => {
  const log = (id: string) => ({
    Effect: "Allow",
    Action: ["logs:CreateLogStream", "logs:PutLogEvents"],
    Resource: { "Fn::GetAtt": [id, "Arn"] },
  });
  const drain = { "Fn::Sub": arnOf("airlift-dev-drain") };
  const invoke = {
    Effect: "Allow",
    Action: "lambda:InvokeFunction",
    Resource: [{ "Fn::GetAtt": ["JobLambdaFunction", "Arn"] }, drain],
  };
  const statements = {
    DrainRole: [log("DrainLogGroup"), invoke],
    ApiRole: [log("ApiLogGroup"), invoke],
    JobRole: [log("JobLogGroup")],
  };
  const assume = { Effect: "Allow", Principal: { Service: "lambda.amazonaws.com" }, Action: "sts:AssumeRole" };
  expect(ofType("AWS::IAM::Role").toSorted()).toEqual(Object.keys(statements).toSorted());
  expect(ofType("AWS::IAM::Policy")).toEqual([]);
  for (const [id, Statement] of Object.entries(statements)) {
    expect(properties(id)).toEqual({
      AssumeRolePolicyDocument: { Version: "2012-10-17", Statement: [assume] },
      Policies: [{ PolicyName: expect.any(String), PolicyDocument: { Version: "2012-10-17", Statement } }],
    });
    const lambda = properties(id.replace(/Role$/, "LambdaFunction"));
    expect(lambda["Role"]).toEqual({ "Fn::GetAtt": [id, "Arn"] });
  }
});

test("secrets that the environment lacks are read from SSM, and a role without a token is closed", async () => {
  const { server, asked } = await startSsm();
  try {
    await using service = await packageService({
      AWS_ENDPOINT_URL_SSM: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      AWS_ACCESS_KEY_ID: "test",
      AWS_SECRET_ACCESS_KEY: "test",
      UPSTASH_REDIS_REST_URL: "https://of-environment.upstash.io",
    });
    expect(service.resources["ApiLambdaFunction"]?.Properties["Environment"].Variables).toMatchObject({
      UPSTASH_REDIS_REST_URL: "https://of-environment.upstash.io",
      UPSTASH_REDIS_REST_TOKEN: "of-ssm",
      ENQUEUE_TOKEN: "enqueue-of-ssm",
      OPERATE_TOKEN: "",
    });
    expect([...asked].toSorted()).toEqual(
      ["ENQUEUE_TOKEN", "OPERATE_TOKEN", "UPSTASH_REDIS_REST_TOKEN"].map(
        (name) => `AmazonSSM.GetParameter /airlift/dev/${name} true`,
      ),
    );
  } finally {
    server.close();
  }
});

/** With the placeholders that CloudFormation fills. */
function arnOf(name: string): string {
  const of = (pseudo: string): string => `\${AWS::${pseudo}}`;
  return `arn:${of("Partition")}:lambda:${of("Region")}:${of("AccountId")}:function:${name}`;
}

/** Those that there are; one is missing. */
const PARAMETERS: Readonly<Record<string, string>> = {
  "/airlift/dev/UPSTASH_REDIS_REST_URL": "https://of-ssm.upstash.io",
  "/airlift/dev/UPSTASH_REDIS_REST_TOKEN": "of-ssm",
  "/airlift/dev/ENQUEUE_TOKEN": "enqueue-of-ssm",
};

/** SSM's `GetParameter`, as far as it is asked. */
async function startSsm(): Promise<{ readonly server: Server; readonly asked: Set<unknown> }> {
  const asked = new Set<unknown>();
  const server = createServer(async (request, response) => {
    const { Name, WithDecryption } = (await json(request)) as { Name: string; WithDecryption: boolean };
    asked.add(`${request.headers["x-amz-target"]} ${Name} ${WithDecryption}`);
    const Value = PARAMETERS[Name];
    response.writeHead(Value ? 200 : 400, { "content-type": "application/x-amz-json-1.1" });
    response.end(
      JSON.stringify(
        Value ? { Parameter: { Name, Type: "SecureString", Value } } : { __type: "ParameterNotFound", message: "none" },
      ),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { server, asked };
}

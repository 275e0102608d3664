// Calls the public OpenMeter client as its users do and prints what it answers, one JSON value a call.
// Usage: node openmeter.mjs FRONTEND ADDRESS KEY < [["meters", "query", [slug, {from, …}]], …]
// Times come and go as text; in between they are the client's own Dates.
import { createRequire } from "node:module";
import { text } from "node:stream/consumers";

const [frontend, baseUrl, apiKey] = process.argv.slice(2);
const { OpenMeter } = createRequire(`${frontend}/package.json`)("@openmeter/sdk");
const client = new OpenMeter({ baseUrl, apiKey });

const moment = /^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)$/;
const calls = JSON.parse(await text(process.stdin), (_, value) =>
  typeof value === "string" && moment.test(value) ? new Date(value) : value,
);
const answers = [];
for (const [noun, verb, given] of calls) {
  try {
    answers.push({ answer: (await client[noun][verb](...given)) ?? null });
  } catch (error) {
    answers.push({ error: { name: error.name, status: error.status, message: error.message, title: error.title } });
  }
}
console.log(JSON.stringify(answers));

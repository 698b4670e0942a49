import { upstash } from "../../src/redis/upstash.ts";
import { testUpstash } from "./upstash-suite.ts";

testUpstash(upstash);

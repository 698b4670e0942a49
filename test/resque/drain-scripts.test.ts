import { describe } from "vitest";
import { describeDrainScripts } from "../conformance/drain-scripts.ts";
import { setups } from "../support/setups.ts";

describe.each(setups())("a drain's scripts over $name", describeDrainScripts);

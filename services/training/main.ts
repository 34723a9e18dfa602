#!/usr/bin/env node
/** @file The training service as a process of its own. */
import { runServices } from "../lib/service/service.ts";
import { training } from "./service.ts";

await runServices([training]);

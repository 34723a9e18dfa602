#!/usr/bin/env node
/** @file The tuning service as a process of its own. */
import { runServices } from "../lib/service/service.ts";
import { tuning } from "./service.ts";

await runServices([tuning]);

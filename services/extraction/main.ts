#!/usr/bin/env node
/** @file The extraction service as a process of its own. */
import { runServices } from "../lib/service/service.ts";
import { extraction } from "./service.ts";

await runServices([extraction]);

#!/usr/bin/env node
/** @file The datasets service as a process of its own. */
import { runServices } from "../lib/service/service.ts";
import { datasets } from "./service.ts";

await runServices([datasets]);

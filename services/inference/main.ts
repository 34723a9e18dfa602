#!/usr/bin/env node
/** @file The inference service as a process of its own. */
import { runServices } from "../lib/service/service.ts";
import { inference } from "./service.ts";

await runServices([inference]);

#!/usr/bin/env node
/** @file The segmentation service as a process of its own. */
import { runServices } from "../lib/service/service.ts";
import { segmentation } from "./service.ts";

await runServices([segmentation]);

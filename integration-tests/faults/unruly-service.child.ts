/** @file A service whose messages go out in any order: its name and a seed are the arguments. */
import { ALL_SERVICES } from "../../services/embedded/embedded.ts";
import { runServices } from "../../services/lib/service/service.ts";
import { unruly } from "../unruly-queue.fixture.ts";

const [, , name, seed = ""] = process.argv;
await runServices(
  ALL_SERVICES.filter((service) => service.name === name).map((service) => unruly(service, { seed, copies: 1 })),
);

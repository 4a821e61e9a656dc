// One script for the page and for its workers.

import { showPage } from "./main.js";
import { serve } from "./mesher.js";

if (globalThis.document) showPage(document.currentScript.src);
else serve();

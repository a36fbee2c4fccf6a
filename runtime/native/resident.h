/* Memory of an idle process. */
#pragma once

/* Unmaps the pages of the program's own read-only parts; they come back from its file when they are touched. */
void resident_trim(void);

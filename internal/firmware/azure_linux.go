package firmware

import "os"

func azureVM() bool { return linuxOnAzure(os.DirFS("/")) }

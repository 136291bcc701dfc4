package azurevm

import "os"

func detect() bool { return detectLinux(os.DirFS("/")) }

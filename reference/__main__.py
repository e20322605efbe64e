import sys

from reference.decode import main

sys.exit(main())

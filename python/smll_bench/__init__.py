"""`smll bench`: sizes and speeds beside other compressors, every size verified by a round trip."""

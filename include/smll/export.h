// What libsmll.so exports: all that the headers of smll declare, and nothing else.
#pragma once

#define SMLL_API __attribute__((visibility("default")))

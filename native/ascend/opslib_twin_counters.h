/* The counters a launch gives back, in this order.  Cycles are those of the cost model
 * in opslib_twin_cost.h, not measurements. */
#ifndef OPSLIB_TWIN_COUNTERS_H
#define OPSLIB_TWIN_COUNTERS_H

namespace opslib_twin {

enum Counter {
    kInstructions = 0, /* 7: by pipe, S V M MTE1 MTE2 MTE3 FIX */
    kBusy = 7,         /* 7: modelled cycles at work, by pipe */
    kExposed = 14,     /* 7: modelled cycles a pipe stood at a wait */
    kBytesIn = 21,     /* GM to UB or L1 (MTE2) */
    kTransfersIn,      /* contiguous pieces of them */
    kBytesOut,         /* UB to GM (MTE3) */
    kTransfersOut,
    kBytesL1,      /* L1 to L0A or L0B (MTE1) */
    kBytesFix,     /* L0C to GM (FIX), in bytes written */
    kRepeats,      /* 256 byte repeats of vector instructions */
    kCubeFractals, /* 16 x 16 x (32 bytes) products of Mmad */
    kCubeCycles,   /* in cycles: two for each in float, half as deep at a quarter of the
                      rate, else one */
    kScalarAccesses, /* GetValue and SetValue */
    kFlagsSet,
    kFlagsWaited,
    kFlagsRedundant, /* waits that ordered nothing new */
    kBarriers,
    kBarriersRedundant,
    kCycles,     /* modelled time of the slowest core */
    kNanChoices, /* lanes of Max, Min and their folds that met a nan */
    kPeakUb,
    kPeakL1,
    kPeakL0A,
    kPeakL0B,
    kPeakL0C, /* highest byte used */
    /* As kBusy and kExposed, 7 each: of the vector cores of a mix kernel, which are not
     * among those. */
    kVectorBusy = 49,
    kVectorExposed = 56,
    kVectorLast = 62,
    kCounters,
};

}  // namespace opslib_twin

#endif

namespace AspireStreaming.TestSupport.Histories;

/// <summary>What the checker may find wrong, and what it merely notes.</summary>
public enum FindingKind
{
    /// <summary>An acknowledged event that a subscriber neither saw nor was told to be missing.</summary>
    Lost,

    /// <summary>An acknowledged event that a subscriber did not see, but was told of.</summary>
    AnnouncedMissing,

    /// <summary>An event that a subscriber got twice.</summary>
    Duplicated,

    /// <summary>A position that came after a later one.</summary>
    Reordered,

    /// <summary>An event whose recorded time is before that of the event before it.</summary>
    TimeFell,

    /// <summary>A hole in the positions that nothing announced.</summary>
    UnannouncedGap,

    /// <summary>An event delivered or archived at another position than the acknowledged one.</summary>
    Moved,

    /// <summary>A position that was given to two events.</summary>
    PositionReused,

    /// <summary>An event that no publisher sent.</summary>
    Phantom,

    /// <summary>An acknowledged event that the archive lacks.</summary>
    ArchiveLost,

    /// <summary>An event that the archive has twice.</summary>
    ArchiveDuplicated,

    /// <summary>An answer that the contract does not allow.</summary>
    WrongAnswer,

    /// <summary>
    /// An event that was seen, then lost before it was acknowledged, and came again when its publisher tried again. Inherent: nobody
    /// had promised the first one.
    /// </summary>
    SeenBeforeAcknowledged,

    /// <summary>
    /// An event that was lost and put back late, marked with the position where the subscriber had had it, to a subscriber that had come
    /// back since: the position with which it came back does not tell what it had of the lost end of an epoch. It had been told that it
    /// left that epoch without proof, and where.
    /// </summary>
    RepeatedAsTold,
}

/// <summary>One thing that the checker found.</summary>
/// <param name="Kind">What.</param>
/// <param name="Stream">In which stream.</param>
/// <param name="Witness">Which subscriber, publisher or store shows it.</param>
/// <param name="Detail">The event or positions.</param>
public sealed record Finding(FindingKind Kind, string Stream, string Witness, string Detail)
{
    /// <summary>Whether it breaks the promise, or is only noted.</summary>
    public bool IsFault => Kind is not (FindingKind.AnnouncedMissing or FindingKind.SeenBeforeAcknowledged or FindingKind.RepeatedAsTold);

    public override string ToString() => $"{Kind}: {Detail} ({Witness} of {Stream})";
}

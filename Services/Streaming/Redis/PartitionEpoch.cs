using System.Globalization;

namespace AspireStreaming.Streaming.Redis;

/// <summary>What a partition's epoch key holds: <c>&lt;epoch&gt;</c>, and while the partition heals <c>&lt;epoch&gt;:&lt;until&gt;</c>.</summary>
/// <param name="Value">The epoch; 0 when there is none.</param>
/// <param name="HealingUntil">When the healing phase may end, Unix milliseconds of Redis's clock; null when appends are let through.</param>
public readonly record struct PartitionEpoch(long Value, long? HealingUntil)
{
    /// <summary>Whether the partition has no epoch.</summary>
    public bool IsNone => Value == 0;

    /// <summary>Whether appends wait for publishers to put back what they hold.</summary>
    public bool IsHealing => HealingUntil is not null;

    internal static PartitionEpoch Parse(string text)
    {
        if (text.Length == 0)
        {
            return default;
        }

        var colon = text.IndexOf(':', StringComparison.Ordinal);
        return colon < 0
            ? new PartitionEpoch(long.Parse(text, CultureInfo.InvariantCulture), null)
            : new PartitionEpoch(
                long.Parse(text.AsSpan(0, colon), CultureInfo.InvariantCulture), long.Parse(text.AsSpan(colon + 1), CultureInfo.InvariantCulture));
    }

    /// <summary>The key's value.</summary>
    public override string ToString() => IsNone ? ""
        : HealingUntil is { } until ? string.Create(CultureInfo.InvariantCulture, $"{Value}:{until}")
        : Value.ToString(CultureInfo.InvariantCulture);
}

using System.Globalization;
using System.Text.Json;

namespace AspireStreaming.TestSupport.Histories;

/// <summary>A position as the contract defines it, read independently of the product: the judge does not use the judged code.</summary>
public readonly record struct LogPosition(ulong Epoch, ulong Sequence) : IComparable<LogPosition>
{
    public static LogPosition Zero => default;

    public static LogPosition Parse(string text)
    {
        var dash = text.IndexOf('-', StringComparison.Ordinal);
        return new LogPosition(
            ulong.Parse(text.AsSpan(0, dash), NumberStyles.None, CultureInfo.InvariantCulture),
            ulong.Parse(text.AsSpan(dash + 1), NumberStyles.None, CultureInfo.InvariantCulture));
    }

    public static LogPosition? Read(JsonElement json, string member) =>
        json.TryGetProperty(member, out var value) && value.ValueKind == JsonValueKind.String ? Parse(value.GetString()!) : null;

    public int CompareTo(LogPosition other) => Epoch == other.Epoch ? Sequence.CompareTo(other.Sequence) : Epoch.CompareTo(other.Epoch);

    public static bool operator <(LogPosition left, LogPosition right) => left.CompareTo(right) < 0;

    public static bool operator >(LogPosition left, LogPosition right) => left.CompareTo(right) > 0;

    public static bool operator <=(LogPosition left, LogPosition right) => left.CompareTo(right) <= 0;

    public static bool operator >=(LogPosition left, LogPosition right) => left.CompareTo(right) >= 0;

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Epoch}-{Sequence}");
}

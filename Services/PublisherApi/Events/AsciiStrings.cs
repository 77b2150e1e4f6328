using System.Text;

namespace AspireStreaming.PublisherApi.Events;

/// <summary>
/// Strings for bytes that come again and again, such as event types and sources. Bounded, shared by all threads; a lost race costs
/// an allocation.
/// </summary>
internal sealed class AsciiStrings
{
    private const int Slots = 512;
    private const int MaxLength = 64;

    private readonly string?[] _strings = new string?[Slots];

    public string Get(ReadOnlySpan<byte> utf8)
    {
        if (utf8.Length is 0 or > MaxLength)
        {
            return Encoding.UTF8.GetString(utf8);
        }

        var hash = 2166136261u;
        foreach (var value in utf8)
        {
            hash = (hash ^ value) * 16777619u;
        }

        ref var slot = ref _strings[(hash ^ (hash >> 16)) % Slots];
        var known = Volatile.Read(ref slot);
        if (known is not null && Ascii.Equals(utf8, known))
        {
            return known;
        }

        var text = Encoding.UTF8.GetString(utf8);
        Volatile.Write(ref slot, text);
        return text;
    }
}

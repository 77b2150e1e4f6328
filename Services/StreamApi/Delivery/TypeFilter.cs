using System.Text;

namespace AspireStreaming.StreamApi.Delivery;

/// <summary>The event types that a reader wants.</summary>
internal sealed class TypeFilter
{
    /// <summary>Most types in a filter.</summary>
    public const int MaxTypes = 100;

    private readonly byte[][] _types;

    private TypeFilter(byte[][] types) => _types = types;

    /// <summary>Parses a list separated by commas.</summary>
    public static bool TryParse(string text, out TypeFilter? filter)
    {
        return TryCreate(text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries), out filter);
    }

    /// <summary>Makes a filter of 1 to <see cref="MaxTypes"/> types.</summary>
    public static bool TryCreate(IReadOnlyCollection<string> types, out TypeFilter? filter)
    {
        filter = types.Count is 0 or > MaxTypes ? null : new TypeFilter([.. types.Select(Encoding.UTF8.GetBytes)]);
        return filter is not null;
    }

    /// <summary>Whether the reader wants the event.</summary>
    public bool Matches(EncodedEvent item)
    {
        var type = item.Type.Span;
        foreach (var wanted in _types)
        {
            if (type.SequenceEqual(wanted))
            {
                return true;
            }
        }

        return false;
    }
}

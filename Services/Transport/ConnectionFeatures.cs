using System.Collections;
using Microsoft.AspNetCore.Http.Features;

namespace AspireStreaming.Transport;

/// <summary>
/// Few features, in a list that is looked through: for a connection that has a dozen and is kept ten thousand times, a tenth of the
/// memory of a dictionary. Not thread-safe, like every collection of features.
/// </summary>
/// <param name="owner">What stands for the first ones.</param>
/// <param name="owned">What these are, unless another is set.</param>
internal sealed class ConnectionFeatures(object owner, Type[] owned) : IFeatureCollection
{
    private const int ServerFeatures = 5;

    private KeyValuePair<Type, object>[] _others = new KeyValuePair<Type, object>[ServerFeatures];
    private int _count;

    public bool IsReadOnly => false;

    public int Revision { get; private set; }

    public object? this[Type key]
    {
        get
        {
            var index = Find(key);
            return index >= 0 ? _others[index].Value : Array.IndexOf(owned, key) >= 0 ? owner : null;
        }

        set
        {
            Revision++;
            var index = Find(key);
            if (value is null)
            {
                if (index >= 0)
                {
                    _others[index] = _others[--_count];
                    _others[_count] = default;
                }

                return;
            }

            if (index < 0)
            {
                index = _count++;
                if (index == _others.Length)
                {
                    Array.Resize(ref _others, 2 * index);
                }
            }

            _others[index] = new(key, value);
        }
    }

    public TFeature? Get<TFeature>() => (TFeature?)this[typeof(TFeature)];

    public void Set<TFeature>(TFeature? instance) => this[typeof(TFeature)] = instance;

    public IEnumerator<KeyValuePair<Type, object>> GetEnumerator()
    {
        for (var index = 0; index < _count; index++)
        {
            yield return _others[index];
        }

        foreach (var type in owned)
        {
            if (Find(type) < 0)
            {
                yield return new(type, owner);
            }
        }
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private int Find(Type key)
    {
        for (var index = 0; index < _count; index++)
        {
            if (_others[index].Key == key)
            {
                return index;
            }
        }

        return -1;
    }
}

using AspireStreaming.Transport;

namespace AspireStreaming.PublisherApi.Tests.Transport;

public sealed class ConnectionFeaturesTests
{
    private readonly Owner _owner = new();
    private readonly ConnectionFeatures _features;

    public ConnectionFeaturesTests() => _features = new ConnectionFeatures(_owner, [typeof(IFirst), typeof(ISecond)]);

    private interface IFirst;

    private interface ISecond;

    private interface IThird;

    [Fact]
    public void Owner_stands_for_its_own_until_another_is_set()
    {
        Assert.Same(_owner, _features.Get<IFirst>());
        Assert.Same(_owner, _features[typeof(ISecond)]);
        Assert.Null(_features.Get<IThird>());

        var other = new Owner();
        _features.Set<IFirst>(other);

        Assert.Same(other, _features.Get<IFirst>());
        Assert.Same(_owner, _features.Get<ISecond>());
    }

    [Fact]
    public void What_was_set_can_be_replaced_and_taken_away_and_each_change_raises_the_revision()
    {
        var (one, two) = (new Owner(), new Owner());
        _features.Set<IThird>(one);
        var revision = _features.Revision;
        _features.Set<IThird>(two);
        Assert.Same(two, _features.Get<IThird>());
        Assert.True(_features.Revision > revision);

        _features.Set<IFirst>(one);
        _features.Set<IThird>(null);

        Assert.Null(_features.Get<IThird>());
        Assert.Same(one, _features.Get<IFirst>());
    }

    [Fact]
    public void Many_are_kept_and_each_is_listed_once()
    {
        var types = typeof(string).Assembly.GetTypes().Take(100).ToList();
        foreach (var type in types)
        {
            _features[type] = type;
        }

        _features.Set<ISecond>(new Owner());

        Assert.All(types, type => Assert.Same(type, _features[type]));
        Assert.Equal([.. types, typeof(ISecond), typeof(IFirst)], _features.Select(pair => pair.Key));
    }

    private sealed class Owner : IFirst, ISecond, IThird;
}

"""The job `sec_form_d`: from the index of a day to a company's offering."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.conftest import House
from tests.jobs.house import ship
from tests.site import Site
from tests.site import site as site

DAY = datetime.now(UTC).date() - timedelta(days=1)
INDEX = """Description:           Daily Index of EDGAR Dissemination Feed

CIK|Company Name|Form Type|Date Filed|File Name
--------------------------------------------------------------------------------
1000228|HENRY SCHEIN INC|4|{day}|edgar/data/1000228/0001209191-31-064398.txt
1800001|WEIR ROBOTICS INC|D|{day}|edgar/data/1800001/0001800001-31-000001.txt
1800002|LEDGER GROWTH FUND II LP|D/A|{day}|edgar/data/1800002/0001800002-31-000002.txt
1800003|GONE TOMORROW LLC|D|{day}|edgar/data/1800003/0001800003-31-000003.txt
"""
FORM = """<SEC-DOCUMENT>x.txt
<DOCUMENT>
<TYPE>{form}
<TEXT>
<XML>
<?xml version="1.0"?>
<edgarSubmission>
 <submissionType>{form}</submissionType>
 <primaryIssuer>
  <cik>1800001</cik><entityName>{name}</entityName>
  <issuerAddress><city>AUSTIN</city><stateOrCountry>TX</stateOrCountry></issuerAddress>
 </primaryIssuer>
 <offeringData>
  <industryGroup><industryGroupType>{industry}</industryGroupType></industryGroup>
  <typeOfFiling><newOrAmendment><isAmendment>false</isAmendment></newOrAmendment>
   <dateOfFirstSale><value>2031-02-03</value></dateOfFirstSale></typeOfFiling>
  <offeringSalesAmounts>
   <totalOfferingAmount>{offering}</totalOfferingAmount><totalAmountSold>12000000</totalAmountSold>
  </offeringSalesAmounts>
 </offeringData>
</edgarSubmission>
</XML>
</TEXT>
</DOCUMENT>
</SEC-DOCUMENT>
"""


def test_the_forms_of_a_day_are_read_and_weighed(house: House, site: Site) -> None:
    folder = f"/Archives/edgar/daily-index/{DAY.year}/QTR{(DAY.month + 2) // 3}"
    site.put(f"{folder}/master.{DAY:%Y%m%d}.idx", INDEX.format(day=f"{DAY:%Y%m%d}"), kind="text/plain")
    robots = FORM.format(form="D", name="Weir Robotics Inc", industry="Other Technology", offering=20_000_000)
    fund = FORM.format(form="D/A", name="Ledger Growth", industry="Pooled Investment Fund", offering="Indefinite")
    at = "/Archives/edgar/data"
    site.put(f"{at}/1800001/000180000131000001/0001800001-31-000001.txt", robots, kind="text/plain")
    site.put(f"{at}/1800002/000180000231000002/0001800002-31-000002.txt", fund, kind="text/plain")
    job = ship(house, "sec_form_d", {"sec": site.url})
    job.run()
    rows = {row["company"]: row for row in job.rows()}
    assert list(rows) == ["WEIR ROBOTICS INC", "LEDGER GROWTH FUND II LP", "GONE TOMORROW LLC"]
    weir = rows["WEIR ROBOTICS INC"]
    assert (weir["offering"], weir["sold"], weir["place"]) == (20_000_000, 12_000_000, "TX")
    assert (weir["industry"], weir["first_sale"], weir["points"]) == ("Other Technology", "2031-02-03", 6)
    fund_row = rows["LEDGER GROWTH FUND II LP"]
    assert (fund_row["form"], fund_row["offering"], fund_row["points"]) == ("D/A", "Indefinite", -2)
    assert "404" in job.reasons("form")["0001800003-31-000003"]
    assert {asked["User-Agent"] for asked in site.headers} == {"Your Name you@example.org"}
    assert job.run() == []
